/** What an inspection yields, for tests with real threads. */
import type { Inspection, InspectionItem } from '../../src/index.js';

/** Reads until `enough` of all that has come. */
export async function read(
  inspection: Inspection,
  enough: (items: InspectionItem[]) => boolean,
): Promise<InspectionItem[]> {
  const all: InspectionItem[] = [];
  for await (const items of inspection) {
    all.push(...items);
    if (enough(all)) break;
  }
  return all;
}
