import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { BIN, plainEnvironment } from './product.ts';

export interface ToolAnswer {
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
}

/** A client with a server process of its own, which ends when it is disposed. */
export interface McpClient extends AsyncDisposable {
  call(name: string, args: Record<string, unknown>): Promise<ToolAnswer>;
  toolNames(): Promise<readonly string[]>;
}

/** Starts `skillflow mcp` in a project, as a client does. */
export async function connectMcp(cwd: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<McpClient> {
  const client = new Client({ name: 'test', version: '1' });
  const environment = Object.entries(plainEnvironment(cwd, env)).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [BIN, 'mcp', ...args],
      cwd,
      env: Object.fromEntries(environment),
      stderr: 'inherit',
    }),
  );
  return {
    call: async (name, input) => {
      const { content, structuredContent, isError } = await client.callTool({ name, arguments: input });
      const [first]: unknown[] = Array.isArray(content) ? content : [];
      return { text: String(Object(first).text), structured: Object(structuredContent), isError: isError === true };
    },
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
