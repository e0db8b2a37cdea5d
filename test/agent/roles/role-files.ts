import { join } from 'node:path';
import { createRoles, roleFolders } from '../../../src/agent/roles/load-roles.ts';
import type { RoleFolder, Roles } from '../../../src/agent/roles/load-roles.ts';
import { readFrontmatter } from '../../../src/skill/frontmatter.ts';
import { readText } from '../../../src/skill/read-text.ts';
import { tempDir, writeFiles } from '../../skill/skill-folder.ts';

export const PACKAGE = join(import.meta.dirname, '..', '..', '..');

/** The roles of these folders, read as the product reads them. */
export function rolesOf(folders: readonly RoleFolder[]): Roles {
  return createRoles({ folders, readText, readFrontmatter });
}

/** The roles that the package ships, and no others. */
export async function shippedRoles(): Promise<Roles> {
  return rolesOf(roleFolders({ skillDir: null, projectRoot: await tempDir(), packageDir: PACKAGE }));
}

/** The roles of one real folder with these files. */
export async function rolesFrom(files: Readonly<Record<string, string | Uint8Array>>): Promise<{ dir: string; roles: Roles }> {
  const dir = await writeFiles(await tempDir(), files);
  return { dir, roles: rolesOf([{ dir, required: true }]) };
}

/** A role's file. */
export function roleFile(frontmatter = '', prompt = 'Look.\n'): string {
  return `---\ndescription: Looks.\n${frontmatter}---\n${prompt}`;
}
