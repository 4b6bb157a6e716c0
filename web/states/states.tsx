/** What takes the place of the panes when there is nothing to show in them. */
import { type ReactNode, useState } from 'react';
import type { Problem } from '../../wire/http.ts';
import { ApiError } from '../api.ts';
import { copyText } from '../parts/hooks.ts';

export function StatePage({ children }: { children: ReactNode }) {
  return (
    <main className="state">
      <div>{children}</div>
    </main>
  );
}

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const onClick = () => {
    copyText(text).then(
      () => {
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      },
      (error: unknown) => window.alert(`Not copied: ${String(error)}`),
    );
  };
  return (
    <button type="button" className="btn" onClick={onClick}>
      <span aria-live="polite">{copied ? 'Copied' : label}</span>
    </button>
  );
}

function Way(props: { title: string; note: string; command: string }) {
  return (
    <li>
      <div>
        <h3>{props.title}</h3>
        <span className="small quiet">{props.note}</span>
      </div>
      <div className="cmd">
        <code>{props.command}</code>
        <CopyButton text={props.command} />
      </div>
    </li>
  );
}

/** No profile has ever arrived. `lookedAgo` says that the page keeps looking. */
export function EmptyState({ lookedAt }: { lookedAt: string }) {
  const server = new URL('.', document.baseURI).href.replace(/\/$/, '');
  return (
    <StatePage>
      <h1>No profiles yet</h1>
      <p>
        This server runs and can store profiles, but none has arrived. Three ways to send some; the
        graph appears here within 20 seconds of the first.
      </p>
      <ol className="ways">
        <Way
          title="A whole machine"
          note="Linux, as root. No changes to programs."
          command={`everflame agent --server ${server}`}
        />
        <Way
          title="A pprof file"
          note="One you have already."
          command={`everflame push cpu.pb.gz --label service_name=checkout --server ${server}`}
        />
        <Way title="A client you run" note="Pyroscope’s or Parca’s, as it is." command={server} />
      </ol>
      <p className="small" aria-live="off">
        Waiting. Last looked at {lookedAt}.
      </p>
    </StatePage>
  );
}

/** What an error says of itself, whatever kind it is. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  return {
    type: 'about:blank',
    title: 'This page failed',
    status: 0,
    detail: error instanceof Error ? error.message : String(error),
    request_id: '',
  };
}

export interface ErrorStateProps {
  error: unknown;
  /** The text that `position` of the problem points into. */
  query: string;
  onRetry: () => void;
  /** Takes the reader to the text at fault; null where nothing can be edited. */
  onEdit: (() => void) | null;
}

export function ErrorState({ error, query, onRetry, onEdit }: ErrorStateProps) {
  const problem = problemOf(error);
  const refused = problem.status >= 400 && problem.status < 500;
  const pointed = problem.position !== undefined && problem.parameter?.startsWith('query');
  return (
    <StatePage>
      <h1>{refused ? 'The server refused this query' : problem.title}</h1>
      <p>{sentence(problem.detail)}</p>
      {pointed ? (
        <pre className="cmdline">
          {query}
          {'\n'}
          {' '.repeat(problem.position ?? 0)}
          <b>^ here</b>
        </pre>
      ) : null}
      {problem.remedy ? <p>{problem.remedy}</p> : null}
      {problem.limit ? <p className="small">The limit is {problem.limit}.</p> : null}
      <p className="row">
        {onEdit ? (
          <button type="button" className="btn main" onClick={onEdit}>
            Edit the query
          </button>
        ) : null}
        <button type="button" className={`btn ${onEdit ? 'fill' : 'main'}`} onClick={onRetry}>
          Try again
        </button>
        <button type="button" className="btn fill" onClick={() => history.back()}>
          Back
        </button>
        <CopyButton text={JSON.stringify(problem, null, 2)} label="Copy details" />
      </p>
      <p className="small origin">{origin(problem)}</p>
    </StatePage>
  );
}

function sentence(text: string): string {
  const first = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

function origin({ status, parameter, request_id }: Problem): string {
  const parts = [
    status === 0 ? '' : `status ${status}`,
    parameter ? `parameter ${parameter}` : '',
    request_id ? `request ${request_id}` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : sentence(parts.join(', '));
}

export function VersionState({ version }: { version: string }) {
  return (
    <StatePage>
      <h1>This link is from another version</h1>
      <p>
        It says v={version.slice(0, 20)}; this page reads v=1. Open it with the Everflame that made
        it, or start anew.
      </p>
      <p>
        <a className="btn fill" href="./explore">
          Start anew
        </a>
      </p>
    </StatePage>
  );
}

/** A line over the panes: the answer below is an earlier one. */
export function StaleBanner({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const problem = problemOf(error);
  return (
    <div className="banner" role="status">
      <span className="clip">
        <strong>Not refreshed:</strong> {problem.detail || problem.title}. What is shown is the last
        answer.
      </span>
      <button type="button" className="btn fill" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
