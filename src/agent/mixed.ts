import type { AskRequest, Provider } from './provider.ts';

/** Two providers behind one, and which of them serves whom. */
export interface MixedProvider extends Provider {
  serves(agent: Pick<AskRequest['agent'], 'capabilities'>): Provider;
}

/**
 * Agents whose capabilities all have analyzers are served by those, free and the same every time, when they judge as
 * well as when they work; any other agent, one without capabilities too, is served by the provider that thinks.
 *
 * @param hasAnalyzer whether the local provider has an analyzer or an examiner for a capability
 */
export function createMixedProvider(
  local: Provider,
  thinker: Provider,
  hasAnalyzer: (capability: string) => boolean,
): MixedProvider {
  const serves: MixedProvider['serves'] = ({ capabilities }) =>
    capabilities.length > 0 && capabilities.every(hasAnalyzer) ? local : thinker;
  return {
    name: thinker.name,
    paid: thinker.paid,
    serves,
    ask: (request) => serves(request.agent).ask(request),
    [Symbol.asyncDispose]: async () => {
      const closed = await Promise.allSettled([local, thinker].map((provider) => provider[Symbol.asyncDispose]()));
      for (const result of closed) if (result.status === 'rejected') throw result.reason;
    },
  };
}
