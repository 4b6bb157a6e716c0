/** Preloaded into a server: its clock is ahead or behind by what CLOCK_FILE says, in ms. */
const { readFileSync } = require('node:fs');

const now = Date.now;
let offsetMs = 0;
let readMs = 0;

Date.now = () => {
  const realMs = now();
  if (realMs - readMs > 20) {
    readMs = realMs;
    offsetMs = Number(readFileSync(process.env.CLOCK_FILE, 'utf8')) || 0;
  }
  return realMs + offsetMs;
};
