/** A record in which every entry that says the same as before stays the same object: only then nothing of it is drawn anew. */
export function shared<Value>(
  before: Readonly<Record<string, Value>>,
  after: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const result: Record<string, Value> = {};
  for (const [name, value] of Object.entries(after)) {
    const old = before[name];
    result[name] = old !== undefined && JSON.stringify(old) === JSON.stringify(value) ? old : value;
  }
  return result;
}
