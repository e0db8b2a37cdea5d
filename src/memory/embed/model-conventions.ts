/** What a model expects beside the text itself. */
export interface ModelConventions {
  /** Put before a text that is stored. */
  readonly document: string;
  /** Put before a text that is looked for. */
  readonly query: string;
  /** How the vectors of a text's tokens become one, where the caller does that. */
  readonly pooling: 'mean' | 'cls' | 'last_token';
}

const PLAIN: ModelConventions = { document: '', query: '', pooling: 'mean' };
const RELEVANT_PASSAGES = 'Represent this sentence for searching relevant passages: ';

/** By the model's name; source: the model cards of each family on huggingface.co. */
const FAMILIES: readonly (readonly [name: RegExp, conventions: ModelConventions])[] = [
  [/nomic-embed-text/i, { document: 'search_document: ', query: 'search_query: ', pooling: 'mean' }],
  [/(?:^|[/_-])e5-(?:small|base|large)/i, { document: 'passage: ', query: 'query: ', pooling: 'mean' }],
  [/bge-(?:small|base|large)-en/i, { document: '', query: RELEVANT_PASSAGES, pooling: 'cls' }],
  [/mxbai-embed/i, { document: '', query: RELEVANT_PASSAGES, pooling: 'cls' }],
  [/bge-m3/i, { ...PLAIN, pooling: 'cls' }],
  [/embeddinggemma/i, { document: 'title: none | text: ', query: 'task: search result | query: ', pooling: 'mean' }],
];

/** What a model's card asks for; a model that is not known gets the plain text and the mean of its tokens. */
export function conventionsOf(model: string): ModelConventions {
  return FAMILIES.find(([name]) => name.test(model))?.[1] ?? PLAIN;
}
