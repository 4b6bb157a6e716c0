/** Why the server did not do what it was asked to. */
import { ApiError } from '../api.ts';

export function Refusal({ error }: { error: Error }) {
  const problem = error instanceof ApiError ? error.problem : null;
  return (
    <p className="refusal" role="alert">
      {problem?.detail || error.message}
      {problem?.remedy ? ` ${problem.remedy}` : ''}
    </p>
  );
}
