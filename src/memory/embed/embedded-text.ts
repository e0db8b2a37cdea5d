/**
 * Characters (UTF-16 units) of a text that are embedded; what follows is not. Fits the 8,192 tokens that hosted models
 * take, also where every character is a token.
 */
export const MAX_TEXT_CHARACTERS = 8000;

/** Stands for a text without a visible character: endpoints refuse blank ones, and a vector of nothing has no direction. */
const BLANK = '(empty)';

/** The first `characters` of a text, without cutting a surrogate pair in two. */
export function cutText(text: string, characters: number = MAX_TEXT_CHARACTERS): string {
  if (text.length <= characters) return text;
  const last = text.charCodeAt(characters - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? characters - 1 : characters);
}

/** What is embedded for a content: its beginning, or a word that says that it is blank. */
export function embeddedText(text: string): string {
  const cut = cutText(text);
  return cut.trim() === '' ? BLANK : cut;
}
