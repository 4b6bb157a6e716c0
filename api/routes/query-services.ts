/** What the read endpoints of /api/v1 ask. */
import type { BodyBudget } from '../body.ts';
import type { Queries } from '../query/params.ts';

export interface QueryServices {
  queries: Queries;
  bodies: BodyBudget;
  /** Now, in epoch milliseconds; what `now` in a parameter means. */
  clock(): number;
}
