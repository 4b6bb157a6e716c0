/** Everything about one binary: its symbols, where they are from, what is missing, what to do. */
import { Fragment, type ReactNode, useRef } from 'react';
import { formatCount, formatValue } from '../../profile/format-value.ts';
import { formatCounted, formatMoment, formatShare } from '../format.ts';
import { hrefOf, navigate } from '../navigation.ts';
import { CopyButton } from '../states/states.tsx';
import { DEFAULT_EXPLORE, writeExplore } from '../url-state.ts';
import { isTrouble, QualityMark, StateMark } from './binary-columns.tsx';
import {
  type BinaryRow,
  describeSource,
  nameOf,
  QUALITIES,
  reasonsOf,
  sendableAs,
} from './binary-rows.ts';
import { DeleteDialog } from './delete-dialog.tsx';
import { readLeftOut } from './left-out-words.ts';
import { Refusal } from './refusal.tsx';
import { useBinaryCommand } from './symbols-answers.ts';
import type { SymbolsPanesProps } from './symbols-props.ts';
import { UploadCommand } from './upload-command.tsx';

export interface BinaryDetailProps extends SymbolsPanesProps {
  row: BinaryRow;
  whole: string;
  onClose: () => void;
}

export function BinaryDetail(props: BinaryDetailProps) {
  const { row, answers, onClose } = props;
  const pane = useRef<HTMLElement>(null);
  return (
    <aside
      className="binary"
      ref={pane}
      tabIndex={-1}
      aria-label={`Details of ${nameOf(row)}`}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented) return;
        onClose();
        document.querySelector<HTMLElement>('.bins')?.focus();
      }}
    >
      <header>
        <button type="button" className="btn fill narrow" onClick={onClose}>
          ← All binaries
        </button>
        <h2 className="fn" title={row.file}>
          {row.file || 'Unknown file'}
        </h2>
        <button type="button" className="btn x wide" aria-label="Close" onClick={onClose}>
          ×
        </button>
        <div className="idline">
          {row.build_id === '' ? (
            <span className="quiet">No build id</span>
          ) : (
            <>
              <code className="quiet">{row.build_id}</code>
              <CopyButton text={row.build_id} />
            </>
          )}
        </div>
      </header>
      <Verdict row={row} nowMs={answers.clock.nowMs} />
      <Actions {...props} />
      <Weights {...props} />
      {row.build_id === '' ? null : <Sources row={row} nowMs={answers.clock.nowMs} />}
      <LeftOut row={row} />
      <HowToSend row={row} />
    </aside>
  );
}

/** Of a file without a build id the upload goes by its hash, so only that file will do. */
function HowToSend({ row }: { row: BinaryRow }) {
  const from = sendableAs(row);
  if (from === 'none') return null;
  return (
    <Section title="Send its symbols">
      <p className="small soft">
        {from === 'any' ? (
          'From where the build is: the unstripped binary, or the debug file split from it. Its build id must be the one above.'
        ) : (
          <Prose text="It has no build id and is known by a hash of the file. Upload exactly the file that runs, with the debug file that its `.gnu_debuglink` names beside it. Better: link it with `-Wl,--build-id`." />
        )}
      </p>
      <UploadCommand file={row.file || 'FILE'} />
    </Section>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** What the symbols can tell, what went wrong, and what helps. */
function Verdict({ row, nowMs }: { row: BinaryRow; nowMs: number }) {
  return (
    <div className={`verdict${isTrouble(row) ? ' trouble' : ''}`} aria-live="polite">
      <p>
        <QualityMark row={row} />
        <strong>{QUALITIES[row.quality].title}</strong>
        <span className="push">
          <StateMark row={row} />
        </span>
      </p>
      {row.problem === '' ? null : (
        <p>
          <Prose text={row.problem} />
        </p>
      )}
      {row.remedy === '' ? null : (
        <p className="soft">
          <Prose text={row.remedy} />
        </p>
      )}
      {row.retry_ms === null ? null : (
        <p className="small quiet">
          {row.retry_ms > nowMs
            ? `Looked for again by itself at ${formatMoment(row.retry_ms, nowMs)}.`
            : 'About to be looked for again.'}
        </p>
      )}
    </div>
  );
}

/** The server quotes commands in backticks. */
function Prose({ text }: { text: string }) {
  return text.split('`').map((part, at) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: parts have a fixed order.
    at % 2 === 1 ? <code key={at}>{part}</code> : part,
  );
}

const RETRY_TITLES: Record<BinaryRow['state'], string> = {
  ready: 'Convert again',
  converting: 'Start over',
  receiving: 'Start over',
  failed: 'Try again',
  absent: 'Look again',
};

function Actions({ row, state }: BinaryDetailProps) {
  const retry = useBinaryCommand('retry');
  const dialog = useRef<HTMLDialogElement>(null);
  const explore = writeExplore({
    ...DEFAULT_EXPLORE,
    query: state.query,
    range: state.range,
    binary: row.file,
  });
  const isKnown = row.build_id !== '';
  const kept = isKnown && (row.sizeBytes > 0 || row.state !== 'absent');
  return (
    <>
      <div className="row actions">
        {isKnown ? (
          <button
            type="button"
            className={`btn ${isTrouble(row) ? 'main' : 'fill'}`}
            disabled={retry.isPending}
            title="Looks in every source again and converts what is found"
            onClick={() => retry.mutate(row.build_id)}
          >
            {retry.isPending ? 'Asking…' : RETRY_TITLES[row.state]}
          </button>
        ) : null}
        {row.self + row.total > 0 && row.file !== '' ? (
          <a
            className="btn fill"
            href={hrefOf('explore', explore)}
            onClick={(event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              navigate('explore', explore);
            }}
          >
            Show in the flame graph
          </a>
        ) : null}
        {kept ? (
          <button
            type="button"
            className="btn push"
            aria-haspopup="dialog"
            onClick={() => dialog.current?.showModal()}
          >
            Delete…
          </button>
        ) : null}
      </div>
      {retry.isSuccess ? (
        <p className="small quiet asked" role="status">
          Asked for. The state above tells what comes of it.
        </p>
      ) : null}
      {retry.error === null ? null : <Refusal error={retry.error} />}
      <DeleteDialog row={row} dialog={dialog} />
    </>
  );
}

function Weights({ row, answer, whole }: BinaryDetailProps) {
  const share = (weight: number) => formatShare(weight / (answer.total || 1));
  const reasons = reasonsOf(row);
  if (row.total <= 0) {
    return (
      <Section title="In profiles">
        <p className="soft">No stack of this query in this time goes through it.</p>
      </Section>
    );
  }
  return (
    <Section title="In profiles">
      <table className="facts">
        <tbody>
          <tr>
            <th scope="row">Self</th>
            <td>
              {share(row.self)} of {whole}
            </td>
          </tr>
          <tr>
            <th scope="row">Total</th>
            <td>
              {share(row.total)} of {whole}
            </td>
          </tr>
          <tr>
            <th scope="row">Without names</th>
            <td>
              {row.unnamed > 0
                ? `${share(row.unnamed)} of ${whole}, ${formatShare(row.unnamed / (row.self || 1))} of this binary’s self`
                : 'nothing'}
            </td>
          </tr>
        </tbody>
      </table>
      {reasons.length === 0 ? null : (
        <ul className="reasons">
          {reasons.map(({ reason, title, meaning, weight }) => (
            <li key={reason}>
              <strong>{title}</strong> <span className="push">{share(weight)}</span>
              {meaning === '' || row.problem !== '' ? null : (
                <p className="small soft">{meaning}</p>
              )}
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

const NO_SOURCES: Partial<Record<BinaryRow['state'], string>> = {
  receiving: 'They are on their way.',
  failed: 'No file of it is kept.',
};

function Sources({ row, nowMs }: { row: BinaryRow; nowMs: number }) {
  return (
    <Section title="Where its symbols are from">
      {row.sources.length === 0 ? (
        <p className="soft">
          {NO_SOURCES[row.state] ?? 'Nobody has sent any, and no other source had them.'}
        </p>
      ) : (
        <ul className="sources">
          {row.sources.map((source) => {
            const { kind, origin } = describeSource(source);
            return (
              <li key={`${source.kind} ${source.file} ${source.from}`}>
                <strong>{kind}</strong>
                <span className="soft">{origin}</span>
                <span className="push">{formatValue(source.size_bytes, 'bytes')}</span>
                <p className="small soft">
                  {placeOf(source).map((place) => (
                    <Fragment key={place}>
                      <span className="fn">{place}</span>,{' '}
                    </Fragment>
                  ))}
                  {formatMoment(source.received_ms, nowMs)}
                </p>
              </li>
            );
          })}
        </ul>
      )}
      {row.symbol_file_bytes > 0 ? (
        <p className="small soft">
          Converted to {formatValue(row.symbol_file_bytes, 'bytes')} with{' '}
          {formatCounted(row.functions, 'function')}
          {row.inlined_calls > 0 ? ` and ${formatCounted(row.inlined_calls, 'inlined call')}` : ''}.
        </p>
      ) : null}
    </Section>
  );
}

/** The file that was sent and by whom; a path or an address says both. */
function placeOf({ file, from }: BinaryRow['sources'][number]): string[] {
  return [from.endsWith(`/${file}`) ? '' : file, from].filter((place) => place !== '');
}

/** What of those files the symbols lack. */
function LeftOut({ row }: { row: BinaryRow }) {
  const rows = readLeftOut(row.left_out);
  if (rows.length === 0) return null;
  const isDamaged = rows.some(({ isUsual }) => !isUsual);
  return (
    <Section title="What they lack">
      {isDamaged ? null : (
        <p className="small soft">Only what linkers leave behind in every program.</p>
      )}
      <ul className="sources">
        {rows.map(({ reason, count, title, isUsual }) => (
          <li key={reason}>
            <span className={isUsual ? 'soft' : ''}>{title}</span>
            <span className="push">{formatCount(count)}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
