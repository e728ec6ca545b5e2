import { JSX, ReactNode, useEffect, useState } from 'react';

import { Problem } from '../api/client';
import { useLive } from '../live/hooks';
import { useNow } from '../ui/clock';
import { Boundary, Trouble } from '../ui/states';

/** How long it is said that the server is there again, in milliseconds. */
const SAID = 4000;

const NOT_ENABLED = new Problem(
  404,
  "agentnb's server extension is not there",
  'Enable it, and start the server again: jupyter server extension enable agentnb',
);

/** What every panel stands in: how it stands with the server is said above it, and an error in it stays in it. */
export function Frame({ children }: { children: ReactNode }): JSX.Element {
  const { connection } = useLive();
  return (
    <div className="agentnb-frame">
      <ConnectionLine />
      {connection.state === 'refused' && connection.problem.isMissing ? (
        <Trouble problem={NOT_ENABLED} />
      ) : (
        <Boundary>{children}</Boundary>
      )}
    </div>
  );
}

/** Says that the server does not answer, for how long, and that it is there again. */
function ConnectionLine(): JSX.Element | null {
  const { connection } = useLive();
  const [wasLost, setWasLost] = useState(false);
  const now = useNow(connection.state === 'lost');
  useEffect(() => {
    if (connection.state === 'lost') {
      setWasLost(true);
    } else if (connection.state === 'live' && wasLost) {
      const timer = window.setTimeout(() => setWasLost(false), SAID);
      return () => window.clearTimeout(timer);
    }
    return undefined;
  }, [connection, wasLost]);
  if (connection.state === 'lost') {
    const seconds = Math.max(0, Math.floor((now - connection.since) / 1000));
    return (
      <div className="agentnb-connection" data-state="lost" role="status" data-testid="agentnb-connection">
        The server does not answer; what you see is from {seconds < 5 ? 'a moment' : `${seconds} s`} ago. Trying again…
      </div>
    );
  }
  if (connection.state === 'refused' && !connection.problem.isMissing) {
    return (
      <div className="agentnb-connection" data-state="lost" role="status" data-testid="agentnb-connection">
        Nothing here is live: the server sends no events ({connection.problem.message}). Reload the page to try again.
      </div>
    );
  }
  return connection.state === 'live' && wasLost ? (
    <div className="agentnb-connection" data-state="live" role="status" data-testid="agentnb-connection">
      Connected again
    </div>
  ) : null;
}
