import { JSX, KeyboardEvent, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';

import { asProblem, part, Problem } from '../api/client';
import { Agent, Run, RunPage } from '../api/types';
import { useLive, useLoaded } from '../live/hooks';
import { isFinal, newestFirst } from '../live/runs';
import { ModelOffer } from '../models/ModelOffer';
import { useMay } from '../panels/me';
import { PanelProps } from '../panels/registry';
import { useServices } from '../panels/services';
import { cancelRun } from '../runs/actions';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { Turn } from './Turn';

/** Turns of a chat that are read. */
const TURNS = 100;

/** A conversation with an agent: each question is a run of its session, executed in a process that the server starts. */
export function ChatPanel({ args, rename }: PanelProps): JSX.Element {
  const { client, live } = useServices();
  const agentId = args.agent ?? '';
  const session = args.session ?? '';
  const loadAgent = useCallback(
    (signal: AbortSignal) => client.get<Agent>(`/agents/${part(agentId)}`, {}, signal),
    [client, agentId],
  );
  const { value: agent, problem, reload } = useLoaded(loadAgent);
  const loadTurns = useCallback(
    async (signal: AbortSignal) => {
      const page = await client.get<RunPage>('/runs', { agent_id: agentId, session, limit: TURNS }, signal);
      live.learn(page.runs);
      return true;
    },
    [client, live, agentId, session],
  );
  const { value: isRead } = useLoaded(loadTurns);
  const { runs } = useLive();
  const [prompts, setPrompts] = useState<ReadonlyMap<string, string>>(new Map());
  const turns = useMemo(
    () => [...runs.values()].filter(run => run.session === session && !run.parent).sort((a, b) => newestFirst(b, a)),
    [runs, session],
  );
  const name = agent?.name ?? args.name ?? 'Chat';
  useEffect(() => rename(`Chat: ${name}`), [rename, name]);
  const list = useStickToEnd();
  if (problem && !agent) {
    return <Trouble problem={problem} onRetry={reload} />;
  }
  return (
    <div className="agentnb-chat" data-testid="agentnb-chat">
      <div className="agentnb-turns" ref={list}>
        {!isRead || !agent ? (
          <Skeleton rows={4} />
        ) : turns.length ? (
          turns.map(run => <Turn key={run.id} runId={run.id} prompt={prompts.get(run.id) ?? ''} model={agent.model} />)
        ) : (
          <Empty title={`Ask ${agent.name}`}>
            {agent.instructions || 'It has no instructions.'}
            <br />
            {agent.tools.length ? `Tools: ${agent.tools.join(', ')}. ` : 'It has no tools. '}
            The conversation is kept as the session {session}; in a cell it goes on with{' '}
            <code>--session {session}</code>.
          </Empty>
        )}
      </div>
      <ModelOffer name={agent?.model ?? null} />
      <Composer
        agent={agent}
        session={session}
        current={turns.at(-1)}
        onAsked={(run, prompt) => {
          setPrompts(old => new Map(old).set(run.id, prompt));
          live.learn([run]);
        }}
      />
    </div>
  );
}

function Composer(props: {
  agent: Agent | null;
  session: string;
  current: Run | undefined;
  onAsked: (run: Run, prompt: string) => void;
}): JSX.Element {
  const { agent, session, current, onAsked } = props;
  const { client, live } = useServices();
  const may = useMay('execute', 'agents');
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const going = current !== undefined && !isFinal(current.status);
  const ready = agent !== null && may && !sending && !going && text.trim() !== '';
  useLayoutEffect(() => {
    if (box.current) {
      box.current.style.height = 'auto';
      box.current.style.height = `${Math.min(box.current.scrollHeight + 2, 240)}px`;
    }
  }, [text]);
  useEffect(() => {
    if (box.current?.closest('.agentnb-panel') === document.activeElement) {
      box.current?.focus(); // the panel was activated before there was a field
    }
  }, []);
  const send = async (): Promise<void> => {
    if (!ready) {
      return;
    }
    setSending(true);
    setProblem(null);
    try {
      const asked = { prompt: text, session, attended: true };
      onAsked(await client.post<Run>(`/agents/${part(agent.id)}/executions`, asked), text);
      setText('');
    } catch (reason) {
      setProblem(asProblem(reason)); // the text stays where it is
    } finally {
      setSending(false);
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void send();
    }
  };
  return (
    <div className="agentnb-composer">
      {problem && <Trouble problem={problem} />}
      <div className="agentnb-composer-line agentnb-actions">
        <textarea
          ref={box}
          rows={1}
          value={text}
          disabled={!may}
          placeholder={may ? 'Enter sends, Shift+Enter begins a line' : 'You may not ask this agent'}
          aria-label="Message"
          data-testid="agentnb-chat-input"
          data-agentnb-first
          data-lm-suppress-shortcuts="true"
          onChange={event => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        {going ? (
          <button
            type="button"
            onClick={() => void cancelRun(client, live, current.id)}
            data-testid="agentnb-chat-stop"
          >
            Stop
          </button>
        ) : (
          <button
            type="button"
            className="agentnb-first"
            disabled={!ready}
            onClick={() => void send()}
            data-testid="agentnb-chat-send"
          >
            Send
          </button>
        )}
      </div>
    </div>
  );
}

/** Keeps a list that grows at its end, unless somebody has scrolled up. */
function useStickToEnd(): (node: HTMLElement | null) => void {
  const cleanup = useRef<() => void>(() => undefined);
  return useCallback((node: HTMLElement | null) => {
    cleanup.current();
    if (!node) {
      return;
    }
    let atEnd = true;
    const onScroll = (): void => {
      atEnd = node.scrollHeight - node.scrollTop - node.clientHeight < 40;
    };
    const stick = (): void => {
      if (atEnd) {
        node.scrollTop = node.scrollHeight;
      }
    };
    const observer = new MutationObserver(stick);
    observer.observe(node, { childList: true, subtree: true, characterData: true });
    node.addEventListener('scroll', onScroll, { passive: true });
    cleanup.current = () => {
      observer.disconnect();
      node.removeEventListener('scroll', onScroll);
    };
  }, []);
}
