// Runs a server and, as root, an agent, and ends them in the order in which nothing is lost: the
// agent sends its last window while the server still takes it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const address = process.env.EVERFLAME_HTTP_ADDRESS ?? '127.0.0.1:7070';
const url = `http://${address}`;
const env = {
  EVERFLAME_DATA_DIR: './data',
  ...process.env,
  EVERFLAME_HTTP_ADDRESS: address,
};
const say = (line) => console.log(`everflame: ${line}`);

// In sessions of their own: Ctrl-C reaches this process only, which then asks them one by one.
const everflame = fileURLToPath(new URL('../bin/everflame', import.meta.url));
const start = (...args) => spawn(everflame, args, { stdio: 'inherit', detached: true, env });
const ended = (child) => child.exitCode !== null || child.signalCode !== null;

async function stop(child) {
  if (child === null || ended(child)) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function answers() {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

const server = start('server');
let agent = null;
let stopping = false;

async function stopAll(code) {
  if (stopping) return;
  stopping = true;
  await stop(agent);
  await stop(server);
  process.exit(code);
}
process.on('SIGINT', () => stopAll(130));
process.on('SIGTERM', () => stopAll(143));
server.on('exit', (code) => stopAll(code ?? 1));

while (!stopping && !(await answers())) await sleep(50);
if (!stopping && process.getuid() === 0) {
  agent = start('agent', '--server', url);
  agent.on('exit', (code, signal) => {
    if (!stopping) say(`the agent ended (${signal ?? `exit code ${code}`}); the server goes on`);
  });
} else if (!stopping) {
  say('not root, so no agent is started; `sudo npm start` profiles this machine');
}
