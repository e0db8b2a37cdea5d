/** Folders that no agent may look into, wherever they lie: they hold histories, stores and keys. */
const FORBIDDEN_FOLDERS = new Set(['.git', '.skillflow', '.ssh', '.gnupg', '.aws', '.azure', '.kube', '.docker']);

const SECRET_NAMES: readonly RegExp[] = [
  /^\.env(?:\..+)?$/u,
  /^\.envrc$/u,
  /^\.(?:npmrc|yarnrc|netrc|pypirc|pgpass|htpasswd|git-credentials|dockercfg)$/u,
  /^id_(?:rsa|dsa|ecdsa|ed25519)(?:\..+)?$/u,
  /\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)$/u,
  /^(?:credentials|secrets?)(?:\.(?:json|ya?ml|toml|ini|env))?$/u,
  /^service-account.*\.json$/u,
];
/** Templates that are made to be read. */
const HARMLESS = /^\.env\.(?:example|sample|template|dist)$/u;

/**
 * Why an agent may not read a path, in words, or `null`.
 *
 * @param path from the project root, `/`-separated
 */
export function forbiddenPath(path: string): string | null {
  const parts = path.toLowerCase().split('/');
  const folder = parts.find((part) => FORBIDDEN_FOLDERS.has(part));
  if (folder !== undefined) return `${folder} is not for agents`;
  const name = parts.at(-1) ?? '';
  if (HARMLESS.test(name)) return null;
  return SECRET_NAMES.some((pattern) => pattern.test(name)) ? 'files that hold secrets by their name are not for agents' : null;
}
