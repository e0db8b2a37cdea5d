/** How data is written for programs and models: `auto` is the shorter of compact JSON and TOON, in bytes of UTF-8. */
export const DATA_FORMATS = ['json', 'toon', 'auto'] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];

export function isDataFormat(text: unknown): text is DataFormat {
  return DATA_FORMATS.some((format) => format === text);
}

/** The TOON of a JSON document (github.com/toon-format/spec); `undefined` when reading it back would give anything else. */
async function toToon(compact: string): Promise<string | undefined> {
  const { decode, encode } = await import('@toon-format/toon');
  try {
    const text = encode(JSON.parse(compact));
    // As it arrives: in UTF-8, which lone surrogates do not survive, and with the line's end.
    const arrived = Buffer.from(`${text}\n`).toString('utf8');
    return text !== '' && JSON.stringify(decode(arrived)) === compact ? text : undefined;
  } catch {
    return undefined; // too deep, or what the format cannot hold: the caller writes JSON
  }
}

/**
 * Text of a JSON value. TOON is only ever written where `decode` gives the very same JSON again, down to the order of
 * keys; elsewhere the text is compact JSON, whatever was asked for.
 */
export async function formatData(value: unknown, format: DataFormat): Promise<string> {
  const compact = JSON.stringify(value);
  if (format === 'json') return compact;
  const toon = await toToon(compact);
  if (toon === undefined) return compact;
  return format === 'toon' || Buffer.byteLength(toon) < Buffer.byteLength(compact) ? toon : compact;
}
