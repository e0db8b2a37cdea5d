/** Local name → dotted name of what it was imported from, e.g. `cp` → `child_process`, `run` → `child_process.exec`. */
export type Imports = ReadonlyMap<string, string>;

function moduleName(raw: string): string {
  return raw.replace(/^node:/u, '').replace(/\/promises$/u, '');
}

function addNames(found: Map<string, string>, module: string, list: string, separator: RegExp): void {
  for (const part of list.split(',')) {
    const [name = '', alias = name] = part.trim().split(separator);
    if (/^[\w$]+$/u.test(name) && /^[\w$]+$/u.test(alias)) found.set(alias, `${module}.${name}`);
  }
}

const ES_IMPORT =
  /\bimport\s+(?:type\s+)?(?:([\w$]+)\s*,?\s*)?(?:\*\s*as\s+([\w$]+)\s*|\{([^}]*)\}\s*)?from\s*['"]([^'"\n]+)['"]/gu;
const REQUIRE =
  /(?:\b(?:const|let|var)\s+|,\s*)(?:([\w$]+)|\{([^}]*)\})\s*=\s*(?:await\s+import|require)\(\s*['"]([^'"\n]+)['"]\s*\)(?:\.([\w$]+))?/gu;
const IMPORT_EQUALS = /\bimport\s+([\w$]+)\s*=\s*require\(\s*['"]([^'"\n]+)['"]\s*\)/gu;

/** Imports and requires of a JavaScript or TypeScript text. */
export function javascriptImports(text: string): Imports {
  const found = new Map<string, string>();
  for (const [, byDefault, star, names, from = ''] of text.matchAll(ES_IMPORT)) {
    const module = moduleName(from);
    if (byDefault !== undefined) found.set(byDefault, module);
    if (star !== undefined) found.set(star, module);
    if (names !== undefined) addNames(found, module, names, /\s+as\s+/u);
  }
  for (const [, name, names, from = '', member] of text.matchAll(REQUIRE)) {
    const module = moduleName(from) + (member === undefined || member === 'promises' ? '' : `.${member}`);
    if (name !== undefined) found.set(name, module);
    if (names !== undefined) addNames(found, module, names, /\s*:\s*/u);
  }
  for (const [, name = '', from = ''] of text.matchAll(IMPORT_EQUALS)) found.set(name, moduleName(from));
  return found;
}

const PY_IMPORT = /^[ \t]*import[ \t]+([^\n#;]+)/gmu;
const PY_FROM = /^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n#;]+))/gmu;

/** Imports of a Python text. `import a.b` binds `a`, which stands for itself and needs no entry. */
export function pythonImports(text: string): Imports {
  const found = new Map<string, string>();
  for (const [, list = ''] of text.matchAll(PY_IMPORT)) {
    for (const part of list.split(',')) {
      const [module = '', alias] = part.trim().split(/\s+as\s+/u);
      if (alias !== undefined && /^[\w.]+$/u.test(module)) found.set(alias, module);
    }
  }
  for (const [, module = '', block, line] of text.matchAll(PY_FROM)) addNames(found, module, block ?? line ?? '', /\s+as\s+/u);
  return found;
}

/** Replaces the first segment of a dotted name by what it was imported from. */
export function resolveImport(imports: Imports, name: string): string {
  const dot = name.indexOf('.');
  const head = dot === -1 ? name : name.slice(0, dot);
  const module = imports.get(head);
  return module === undefined ? name : module + (dot === -1 ? '' : name.slice(dot));
}
