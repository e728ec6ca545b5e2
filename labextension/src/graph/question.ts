import { element } from './dom';
import { formOf, markErrors } from './form';
import type { Answered, NodeDetails, Question } from './types';

/** What somebody has answered. */
export interface Given {
  verdict: string;
  data: unknown;
  note: string;
}

const WORDS: Record<string, string> = {
  approve: 'Approve',
  reject: 'Reject',
  retry: 'Run it again',
  skip: 'Skip it',
  fail: 'Let it fail',
};
const DONE: Record<string, string> = {
  approve: 'Approved',
  reject: 'Rejected',
  retry: 'It is run again',
  skip: 'Skipped',
  fail: 'Failed',
};

/** Which card it is: a state that is visited again may ask the same once more, and that is another one. */
export function cardOf(found: NodeDetails): string {
  return [found.run, found.step, found.question?.ticket].join('\n');
}

/**
 * The card of what a step asks: the prompt, what it is about, a form made from its JSON Schema, a note, the verdicts, the time that is left.
 *
 * @param host - Is emptied, and holds the card then.
 * @param question - What is asked.
 * @param answer - Is given the answer; the card stays open where that isn't accepted.
 * @returns Ends it.
 */
export function mountQuestion(
  host: HTMLElement,
  question: Question,
  answer: (given: Given) => Promise<Answered>,
): () => void {
  const form = question.form ? formOf(question.form) : undefined;
  const message = element('div', { class: 'agentnb-question-message', role: 'status', tabindex: '-1' });
  const time = element('span', { class: 'agentnb-question-time' });
  const noteId = `agentnb-question-note-${Math.random().toString(36).slice(2, 8)}`;
  const note = element('input', { id: noteId, type: 'text', class: 'agentnb-question-note' });
  let open = true;

  const send = async (verdict: string): Promise<void> => {
    const data = form && verdict === 'approve' ? (form.read() ?? null) : null;
    enable(false);
    let answered: Answered;
    try {
      answered = await answer({ verdict, data, note: note.value });
    } catch (error) {
      answered = { accepted: false, message: error instanceof Error ? error.message : String(error) };
    }
    open = !answered.accepted;
    enable(open);
    card.dataset.state = open ? 'waiting' : verdict;
    message.textContent = [open ? '' : DONE[verdict], answered.message].filter(Boolean).join('. ');
    if (form) {
      markErrors(form, answered.errors ?? {});
    }
    if (!open) {
      time.textContent = '';
      message.focus();
    }
  };

  const buttons = question.verdicts.map((verdict, place) => {
    const word = form && verdict === 'approve' ? 'Send' : (WORDS[verdict] ?? verdict);
    const first = place === 0;
    return element(
      'button',
      {
        type: first ? 'submit' : 'button',
        'data-testid': verdict,
        class: first ? 'agentnb-question-first' : undefined,
        onclick: first ? undefined : () => void send(verdict),
      },
      word,
    );
  });
  const title = element('div', { class: 'agentnb-question-title' }, question.step);
  if (question.assignee) {
    title.append(element('span', { class: 'agentnb-question-who' }, ` asks ${question.assignee}`));
  }
  const card = element(
    'form',
    {
      class: 'agentnb-question',
      novalidate: true,
      'aria-label': `${question.step}: ${question.prompt}`,
      'data-testid': 'question',
      'data-state': 'waiting',
      'data-lm-suppress-shortcuts': 'true',
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        if (event.submitter) {
          void send(question.verdicts[0] ?? ''); // Enter in a field presses nothing: a decision is a button
        }
      },
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === 'Enter' && event.target instanceof HTMLInputElement && event.target.type !== 'checkbox') {
          event.preventDefault();
        }
      },
    },
    title,
    element('div', { class: 'agentnb-question-prompt' }, question.prompt),
    about(question.shown),
    form && element('div', { class: 'agentnb-question-form' }, ...form.nodes),
    element('div', { class: 'agentnb-question-field' }, element('label', { for: noteId }, 'Note'), note),
    element('div', { class: 'agentnb-question-buttons' }, ...buttons, time),
    message,
  );

  function enable(on: boolean): void {
    card
      .querySelectorAll<HTMLInputElement | HTMLButtonElement>('input, textarea, select, button')
      .forEach(node => (node.disabled = !on));
  }

  const tick = (): void => {
    time.textContent = open && question.due ? left(question.due) : '';
  };
  const clock = window.setInterval(tick, 1000);
  tick();
  host.replaceChildren(card);
  return () => window.clearInterval(clock);
}

function about(shown: string): HTMLElement | undefined {
  if (!shown) {
    return undefined;
  }
  const attributes = { class: 'agentnb-question-shown', tabindex: '0', 'aria-label': 'What it is about' };
  const text = element('pre', attributes, shown);
  const long = shown.split('\n').length > 15;
  return long ? element('details', {}, element('summary', {}, 'What it is about'), text) : text;
}

/** `2 d 3 h left`, `4 m 05 s left`. */
export function left(due: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((due - now) / 1000));
  const [days, hours] = [Math.floor(seconds / 86400), Math.floor((seconds % 86400) / 3600)];
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days) {
    return `${String(days)} d ${String(hours)} h left`;
  }
  if (hours) {
    return `${String(hours)} h ${String(minutes)} m left`;
  }
  return minutes ? `${String(minutes)} m ${String(seconds % 60).padStart(2, '0')} s left` : `${String(seconds)} s left`;
}
