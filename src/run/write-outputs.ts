import { readFile, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '../errors.ts';
import { writeFileAtomic } from '../store/atomic-file.ts';
import { makeFolder } from '../store/folder.ts';
import { codeOf, storageError } from '../store/storage-error.ts';
import { FILE_NAMES, folderOf } from './report-of.ts';
import type { Format } from './report-of.ts';
import { renderJson } from './report/json.ts';
import { renderMarkdown } from './report/markdown.ts';
import type { Report } from './report/report.ts';
import { renderSarif } from './report/sarif.ts';
import type { RunSummary } from './runs.ts';

/** The run in figures. */
export function summarize(report: Report): RunSummary {
  const { outcome, severity, total } = report.counts;
  return {
    files: report.scope.files.length,
    skipped: report.scope.skipped,
    findings: total,
    confirmed: outcome.confirmed,
    rejected: outcome.rejected,
    undecided: outcome.tie + outcome.no_quorum,
    bySeverity: Object.fromEntries(
      Object.entries(severity).map(([name, counts]) => [name, counts.confirmed + counts.tie + counts.no_quorum]),
    ),
    outputs: [...report.outputs],
    reason: report.run.notWritten ?? null,
  };
}

/** The texts of a run's output files by their names; the same for the same report and version. */
export function renderOutputs(report: Report, formats: readonly Format[], version: string): ReadonlyMap<string, string> {
  const render: Readonly<Record<Format, () => string>> = {
    markdown: () => renderMarkdown(report),
    json: () => renderJson(report),
    sarif: () => renderSarif(report, { toolVersion: version }),
  };
  return new Map(formats.map((format) => [FILE_NAMES[format], render[format]()]));
}

/** Writes a run's output files under `.skillflow/runs/<runId>/`. Throws `StorageError`: some may be written then. */
export async function writeOutputs(projectRoot: string, runId: string, files: ReadonlyMap<string, string>): Promise<void> {
  const folder = join(projectRoot, folderOf(runId));
  await makeFolder(folder);
  for (const [name, text] of files) await writeFileAtomic(join(folder, name), text);
}

/** Whether a file is an output, or what a writer that was killed left of one. */
function isOutput(file: string): boolean {
  return Object.values(FILE_NAMES).some((name) => file === name || (file.startsWith(`.${name}.`) && file.endsWith('.tmp')));
}

/** Removes a run's output files, as far as that is possible; what else lies beside them stays. */
export async function removeOutputs(projectRoot: string, runId: string): Promise<void> {
  const folder = join(projectRoot, folderOf(runId));
  const files = await readdir(folder).catch(() => []);
  for (const file of files.filter(isOutput)) await rm(join(folder, file), { force: true }).catch(() => undefined);
  await rmdir(folder).catch(() => undefined);
}

function parseReport(path: string, text: string): Report {
  const hint = 'Make it again with skillflow replay.';
  let parsed: Report & { readonly schema?: unknown };
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new StorageError(`${path} is not a report: ${String(error)}`, { hint, cause: error });
  }
  if (parsed.schema !== 'skillflow.report/1') throw new StorageError(`${path} is not a report of this version`, { hint });
  return parsed;
}

/** The text of one of a run's output files; `null` when it is not there. Throws `StorageError`. */
export async function readOutput(projectRoot: string, runId: string, name: string): Promise<string | null> {
  const path = join(projectRoot, folderOf(runId), name);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw storageError(error, 'read', path);
  }
}

/** Reads a run's report back; `null` when there is none (it did not complete, or the file was removed). Throws `StorageError`. */
export async function readReport(projectRoot: string, runId: string): Promise<Report | null> {
  const text = await readOutput(projectRoot, runId, FILE_NAMES.json);
  return text === null ? null : parseReport(join(projectRoot, folderOf(runId), FILE_NAMES.json), text);
}
