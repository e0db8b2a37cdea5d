import { PassThrough } from 'node:stream';
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import type { ListToolsResult } from '@modelcontextprotocol/server';
import type { OpeningAnswers } from './opening.ts';
import { serve } from './serve.ts';

const MODERN = '2026-07-28';
const CLIENT = { name: 'build', version: '0' };
const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': CLIENT,
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** The results, as JSON, that the server gives in a session of these requests. */
async function resultsOf(
  requests: readonly { readonly method: string; readonly params: object }[],
  version: string,
  tools: ListToolsResult['tools'],
): Promise<readonly string[]> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  for (const [id, request] of requests.entries()) input.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...request })}\n`);
  input.end();
  let text = '';
  output.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await serve({
    version,
    tools: async () => tools,
    openHandler: () => Promise.reject(new Error('no tool is called while a session opens')),
    input,
    output,
    said: [],
    signal: new AbortController().signal,
    id: () => '',
    onError: (message) => {
      throw new Error(message);
    },
  });
  const answers: readonly { readonly id: number; readonly result?: object }[] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return requests.map(({ method }, index) => {
    const result = answers.find(({ id }) => id === index)?.result;
    if (result === undefined) throw new Error(`the server does not answer ${method} of the opening: ${text.slice(0, 500)}`);
    return JSON.stringify(result);
  });
}

/** Asks the server itself what it answers while a session opens, in every version of the protocol that it speaks. */
export async function recordOpening(version: string, tools: ListToolsResult['tools']): Promise<OpeningAnswers> {
  const initialize: Record<string, string> = {};
  const legacy = new Set<string>();
  let ping = '';
  for (const protocolVersion of SUPPORTED_PROTOCOL_VERSIONS) {
    const params = { protocolVersion, capabilities: {}, clientInfo: CLIENT };
    const requests = [
      { method: 'initialize', params },
      { method: 'ping', params: {} },
      { method: 'tools/list', params: {} },
    ];
    const [first = '', second = '', third = ''] = await resultsOf(requests, version, tools);
    initialize[protocolVersion] = first;
    ping = second;
    legacy.add(third);
  }
  const [list, ...others] = legacy;
  if (list === undefined || others.length > 0) throw new Error('the list of tools differs between versions of 2025');
  const requests = ['server/discover', 'tools/list'].map((method) => ({ method, params: { _meta: META } }));
  const [discover = '', modern = ''] = await resultsOf(requests, version, tools);
  return { initialize, discover: { [MODERN]: discover }, ping, tools: { legacy: list, modern } };
}
