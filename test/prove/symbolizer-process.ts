/** `SEED`: checks the programs of the corpus whose rows its parent sends, one after the other. */
import { PROGRAM_BUILDS, type ProgramBuild } from '../fixtures/debuginfo-builds.ts';
import { checkBuild } from './symbolizer-build.ts';

const seed = Number(process.argv[2]);
process.on('message', async (row: number) => {
  process.send?.(await checkBuild(PROGRAM_BUILDS[row] as ProgramBuild, seed));
});
