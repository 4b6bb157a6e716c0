/** Asks once more before symbols are deleted. Esc and the first button keep them. */
import type { RefObject } from 'react';
import { formatValue } from '../../profile/format-value.ts';
import { formatCounted } from '../format.ts';
import type { BinaryRow } from './binary-rows.ts';
import { Refusal } from './refusal.tsx';
import { useBinaryCommand } from './symbols-answers.ts';

export interface DeleteDialogProps {
  row: BinaryRow;
  dialog: RefObject<HTMLDialogElement | null>;
}

export function DeleteDialog({ row, dialog }: DeleteDialogProps) {
  const remove = useBinaryCommand('remove');
  const files = row.sources.length;
  return (
    <dialog
      className="sheet"
      ref={dialog}
      aria-labelledby="delete-title"
      // Its Esc must not close the details as well.
      onKeyDown={(event) => event.stopPropagation()}
    >
      <h2 id="delete-title">Delete these symbols?</h2>
      <p>
        {files === 0 ? 'Everything that is here' : formatCounted(files, 'file')} of{' '}
        <code>{row.file || row.build_id}</code>
        {row.sizeBytes > 0 ? `, ${formatValue(row.sizeBytes, 'bytes')} on disk` : ''}. Its frames
        are then shown as binary+address, in profiles of the past as well, until the symbols are
        found or sent again.
      </p>
      {remove.error === null ? null : <Refusal error={remove.error} />}
      <form method="dialog" className="row">
        <button type="submit" className="btn fill">
          Keep them
        </button>
        <button
          type="button"
          className="btn main"
          disabled={remove.isPending}
          onClick={() => remove.mutate(row.build_id, { onSuccess: () => dialog.current?.close() })}
        >
          {remove.isPending ? 'Deleting…' : 'Delete'}
        </button>
      </form>
    </dialog>
  );
}
