import { NotFoundError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import type { Queries } from '../../store/database.ts';
import { numberColumns, numberOf, textColumns, textOf } from '../../store/row.ts';
import type { ModelVectors } from './care.ts';

const FLOAT_BYTES = 4;

/** The models that there are vectors of, also those that are no longer configured; the oldest first. */
export async function vectorModels(queries: Queries): Promise<readonly ModelVectors[]> {
  const rows = await queries.all(
    `SELECT ${textColumns(['provider', 'model'])}, ${numberColumns(['dimensions'])},
      (SELECT count(*) FROM embedding WHERE space_id = s.id) AS vectors FROM embedding_space s ORDER BY id`,
  );
  return rows.map((row) => {
    const [dimensions, vectors] = [numberOf(row, 'dimensions'), numberOf(row, 'vectors')];
    const bytes = FLOAT_BYTES * dimensions * vectors;
    return { provider: textOf(row, 'provider'), model: textOf(row, 'model'), dimensions, vectors, bytes };
  });
}

/**
 * Removes all vectors of a model. @returns how many. Errors: `NotFoundError` when there are none of it.
 */
export async function dropVectors(queries: Queries, model: string): Promise<number> {
  const ofModel = 'SELECT id FROM embedding_space WHERE model = ?';
  if ((await queries.get(`${ofModel} LIMIT 1`, [model])) === undefined) {
    const known = [...new Set((await vectorModels(queries)).map((one) => one.model))];
    const near = nearest(model, known);
    throw new NotFoundError(`there are no vectors of a model ${JSON.stringify(model)}`, {
      hint:
        near.length > 0
          ? `Did you mean ${near.join(' or ')}?`
          : known.length === 0
            ? 'There are no vectors at all.'
            : `There are vectors of ${known.join(', ')}.`,
      details: { model, known },
    });
  }
  const { changes } = await queries.run(`DELETE FROM embedding WHERE space_id IN (${ofModel})`, [model]);
  await queries.run('DELETE FROM embedding_space WHERE model = ?', [model]);
  return changes;
}
