import { useState, type JSX } from 'react';

import type { Finding } from './findings';
import type { Check, EditorStore } from './store';
import { useEditor } from './useEditor';

/** What stands before the words where there is no finding, or none yet. */
const UNFOUND: Record<Check['state'], string> = { checking: '◐', checked: '✓', failed: '!' };

/** All that is wrong with the workflow, each with its place and its mend. */
export function Problems({ store }: { store: EditorStore }): JSX.Element {
  const { findings, check } = useEditor(store);
  const [open, setOpen] = useState(false);
  const errors = findings.filter(one => one.severity === 'error').length;
  const warnings = findings.length - errors;
  const said = [counted(errors, 'error'), counted(warnings, 'warning')].filter(Boolean).join(', ');
  return (
    <section className="agentnb-editor-problems" data-testid="problems" aria-label="Findings">
      <button
        type="button"
        className="agentnb-editor-summary"
        aria-expanded={open && findings.length > 0}
        disabled={!findings.length}
        data-testid="problems-summary"
        data-severity={errors ? 'error' : warnings ? 'warning' : check.state}
        onClick={() => setOpen(!open)}
      >
        <span aria-hidden="true">{errors ? '✕' : warnings ? '!' : UNFOUND[check.state]}</span> {said || unfound(check)}
        {findings.length > 0 && <span aria-hidden="true">{open ? ' ▾' : ' ▸'}</span>}
      </button>
      {open && findings.length > 0 && (
        <ul>
          {findings.map((finding, place) => (
            <Row key={place} finding={finding} store={store} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ finding, store }: { finding: Finding; store: EditorStore }): JSX.Element {
  const { severity, message, mend, line, fix } = finding;
  return (
    <li data-severity={severity} data-testid="finding">
      <button type="button" className="agentnb-editor-place" title="Show it" onClick={() => store.goTo(finding)}>
        <span aria-label={severity}>{severity === 'error' ? '✕' : '!'}</span>
        <code>{line ? `line ${String(line)}` : 'text'}</code>
        <span>{message}</span>
      </button>
      {fix ? (
        <button type="button" data-testid="fix" title={mend} onClick={() => store.apply(fix.edits)}>
          {fix.label}
        </button>
      ) : (
        mend && (
          <button type="button" className="agentnb-editor-mend" title="Go there" onClick={() => store.goTo(finding)}>
            {mend}
          </button>
        )
      )}
    </li>
  );
}

function counted(count: number, word: string): string {
  return count ? `${String(count)} ${word}${count === 1 ? '' : 's'}` : '';
}

function unfound(check: Check): string {
  switch (check.state) {
    case 'checking':
      return 'Checking …';
    case 'checked':
      return 'No findings';
    case 'failed':
      return check.problem.isForbidden
        ? 'You may not have workflows checked here'
        : `Not checked: ${check.problem.message}`;
  }
}
