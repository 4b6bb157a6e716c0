import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MAX_FOLDER_STREAMS } from '../profile/limits.ts';
import { FolderStreams } from './folder-streams.ts';

/** More than streams hold on the way. */
const FILE_BYTES = 2 ** 22;

function makeFolder() {
  const dir = mkdtempSync(join(tmpdir(), 'everflame-stream-'));
  writeFileSync(join(dir, 'a'), Buffer.alloc(FILE_BYTES));
  return { dir, release: async () => rmSync(dir, { recursive: true }) };
}

/** Files of the folder that this process still has open, which keeps their space on the disk. */
function openFiles(dir: string): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    const path = `/proc/self/fd/${fd}`;
    return lstatSync(path, { throwIfNoEntry: false }) && readlinkSync(path).startsWith(dir);
  });
}

test('a folder goes when its stream was read, left or stalled, and makes room for others', async () => {
  const streams = new FolderStreams(100);
  const folders = Array.from({ length: MAX_FOLDER_STREAMS + 2 }, makeFolder);
  const [left, stalled, ...others] = folders as [Folder, Folder, ...Folder[]];
  const leftStream = await streams.send(async () => left);
  const reader = leftStream.getReader();
  await reader.read();
  const stalledStream = await streams.send(async () => stalled);
  await expect(streams.send(async () => left)).rejects.toThrow('on their way');
  await reader.cancel();
  await expect.poll(() => existsSync(left.dir)).toBe(false);
  await expect.poll(() => existsSync(stalled.dir)).toBe(false);
  await expect(new Response(stalledStream).arrayBuffer()).rejects.toThrow('takes nothing');

  await expect.poll(() => [...openFiles(left.dir), ...openFiles(stalled.dir)]).toEqual([]);

  const failing = Promise.reject(new Error('no such selection'));
  await expect(streams.send(() => failing)).rejects.toThrow('no such selection');
  for (const folder of others) {
    const bytes = await new Response(await streams.send(async () => folder)).arrayBuffer();
    expect(bytes.byteLength).toBeGreaterThan(FILE_BYTES);
    await expect.poll(() => existsSync(folder.dir)).toBe(false);
  }
});

type Folder = ReturnType<typeof makeFolder>;
