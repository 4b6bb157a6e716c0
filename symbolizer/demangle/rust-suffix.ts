/** What stands behind a Rust name: `.cold` and the like, and what LLVM tells copies apart by. */

/** The suffix as it is shown; the numbers that LLVM makes up say nothing. */
export function rustSuffix(suffix: string): string {
  return suffix.replace(/\.llvm\.[0-9A-F]+/, '');
}
