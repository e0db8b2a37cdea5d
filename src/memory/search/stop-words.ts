/** English words that say how a sentence is built and not what it is about; also what is left of `don't`, `it's`, `I'll`. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about above after again against all also am an and any are as at be because been before being below between both but by
  can could d did do does doing don down during each few for from further had has have having he her here hers him his how i
  if in into is it its just ll m me more most my no nor not of off on once only or other our out over own re s same she should
  so some such t than that the their them then there these they this those through to too under until up ve very was we were
  what when where which while who whom whose why will with would you your`.split(/\s+/),
);
