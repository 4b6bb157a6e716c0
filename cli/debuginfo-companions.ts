/** The files on this machine's disk that belong to an ELF file and hold its debug information. */
import { existsSync } from 'node:fs';
import type { ConversionSource } from '../symbolizer/debuginfo/convert.ts';

/** The file itself first. */
export async function findCompanions(path: string, _scratch: string): Promise<ConversionSource[]> {
  const sources: ConversionSource[] = [{ kind: 'executable', path }];
  if (existsSync(`${path}.dwp`)) sources.push({ kind: 'split', path: `${path}.dwp` });
  return sources;
}
