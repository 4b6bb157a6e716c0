// Adds up what tools/test.sh left in a folder, `STEP.step` (pass or fail) and `SUITE.json` (vitest's
// report), prints it as one line, and exits 1 if anything failed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2] ?? '.';
const total = { passed: 0, failed: 0, skipped: 0 };

function addSuite(report) {
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests;
  // A file that could not be loaded has no tests to count: the file itself failed.
  for (const file of report.testResults) {
    if (file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed')) {
      console.log(`could not run ${file.name}: ${file.message}`);
      total.failed++;
    }
  }
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.step'))) {
  const name = file.slice(0, -'.step'.length);
  const passed = readFileSync(join(folder, file), 'utf8').trim() === 'pass';
  const report = join(folder, `${name}.json`);
  const before = total.failed;
  if (existsSync(report)) addSuite(JSON.parse(readFileSync(report, 'utf8')));
  else if (passed) total.passed++;
  if (!passed && total.failed === before) {
    console.log(`step ${name} failed`);
    total.failed++;
  }
}
if (total.skipped > 0) console.log(`${total.skipped} skipped; each prints its reason above`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
