/** Selectors: `type{name="value",...}` as in Prometheus; a fault is reported with its position. */
import type { ProfileType } from './profile-type.ts';

export type MatchOp = '=' | '!=' | '=~' | '!~';

/** One condition on a label; an absent label has the empty value. Regular expressions are RE2. */
export interface Matcher {
  name: string;
  op: MatchOp;
  value: string;
}

export interface Selector {
  type: ProfileType | null;
  matchers: Matcher[];
}
