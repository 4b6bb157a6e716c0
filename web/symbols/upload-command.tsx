/** The command that sends a file's symbols to this server, ready to be copied. */
import { CopyButton } from '../states/states.tsx';

export function UploadCommand({ file }: { file: string }) {
  const server = new URL('.', document.baseURI).href.replace(/\/$/, '');
  const command = `everflame debuginfo upload --server ${server} ${quote(file)}`;
  return (
    <div className="cmd">
      <code>{command}</code>
      <CopyButton text={command} />
    </div>
  );
}

/** A file name as a shell takes it. */
function quote(file: string): string {
  if (file.startsWith('-')) return quote(`./${file}`);
  return /^[\w./+=:@%-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
}
