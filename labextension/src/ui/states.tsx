import { Button } from '@jupyterlab/ui-components';
import { Component, JSX, ReactNode } from 'react';

import { asProblem, Problem } from '../api/client';

/** What is there while something loads: its shape, quiet. */
export function Skeleton({ rows = 6 }: { rows?: number }): JSX.Element {
  return (
    <div className="agentnb-skeleton" role="status" aria-label="Loading" data-testid="agentnb-skeleton">
      {Array.from({ length: rows }, (_, place) => (
        <div key={place} style={{ width: `${[92, 78, 85, 64, 88, 71][place % 6] ?? 80}%` }} />
      ))}
    </div>
  );
}

/** What is said where there is nothing yet: what would be here, and the line to type. */
export function Empty({ title, children, code }: { title: string; children?: ReactNode; code?: string }): JSX.Element {
  return (
    <div className="agentnb-empty" data-testid="agentnb-empty">
      <h3>{title}</h3>
      {children && <p>{children}</p>}
      {code && <pre>{code}</pre>}
    </div>
  );
}

/** What went wrong, and a button that does something about it. */
export function Trouble({ problem, onRetry }: { problem: Problem; onRetry?: () => void }): JSX.Element {
  const said = problem.isForbidden
    ? {
        title: 'You may not see this',
        detail: `The server's authorizer refuses it${problem.detail ? `: ${problem.detail}` : ''}. Ask who runs this server for permission.`,
      }
    : { title: problem.title, detail: problem.detail };
  return (
    <div
      className="agentnb-card agentnb-trouble"
      data-kind={problem.isForbidden ? 'refusal' : 'error'}
      data-testid={problem.isForbidden ? 'agentnb-forbidden' : 'agentnb-trouble'}
      role="alert"
    >
      <div className="agentnb-card-title">{said.title}</div>
      {said.detail && <div>{said.detail}</div>}
      {onRetry && !problem.isForbidden && (
        <div className="agentnb-actions">
          <Button minimal small onClick={onRetry}>
            Try again
          </Button>
        </div>
      )}
    </div>
  );
}

/** Keeps an error in one panel from taking the others with it. */
export class Boundary extends Component<{ children: ReactNode }, { problem: Problem | null }> {
  override state: { problem: Problem | null } = { problem: null };

  static getDerivedStateFromError(reason: unknown): { problem: Problem } {
    return { problem: asProblem(reason) };
  }

  override render(): ReactNode {
    return this.state.problem ? (
      <Trouble problem={this.state.problem} onRetry={() => this.setState({ problem: null })} />
    ) : (
      this.props.children
    );
  }
}
