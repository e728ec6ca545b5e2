import { deleteIcon } from '@jupyterlab/ui-components';
import { useState, type JSX } from 'react';

import { KindIcon } from '../graph/icons';
import { nameProblem } from './expressions';
import { useForm } from './forms/context';
import { Field } from './forms/Field';
import { Fields } from './forms/Groups';
import { KINDS, waitsFor, type Item, type Kind } from './model';
import * as operations from './operations';
import { blank, resolved, shapeOf, type Schema } from './schema';
import type { EditorStore } from './store';
import type { Path } from './text/source';
import { isRecord } from './text/rendering';

/** What a chosen step or state says of itself, to be edited. */
export function StepForm({ item, store }: { item: Item; store: EditorStore }): JSX.Element {
  const { root, model, disabled } = useForm();
  const isStep = model.kind === 'dag';
  const schema = root.$defs?.[isStep ? 'Step' : 'State'];
  const properties = Object.entries(schema?.properties ?? {});
  const others = properties.filter(([name]) => name !== 'needs' && name !== 'step' && !isKind(name));
  return (
    <div className="agentnb-form" data-testid="form" data-step={item.id}>
      <header>
        <KindIcon kind={item.kind ?? 'state'} />
        <Name key={item.id} item={item} store={store} />
        <button
          type="button"
          className="agentnb-editor-icon"
          title={`Remove ${item.id} (Delete)`}
          aria-label={`Remove ${item.id}`}
          data-testid="remove-step"
          disabled={disabled}
          onClick={() => store.edit(draft => operations.remove(draft, item.id))}
        >
          <deleteIcon.react tag="span" width="15px" height="15px" />
        </button>
        <button type="button" className="agentnb-editor-icon" title="Close (Esc)" onClick={() => store.select('')}>
          ×
        </button>
      </header>
      {(isStep || item.value.step !== undefined) && (
        <Action path={item.actionPath} value={item.action} kind={item.kind} />
      )}
      {!isStep && item.value.step === undefined && <NoStep item={item} store={store} />}
      {isStep && <Needs item={item} store={store} />}
      <Fields
        path={item.path}
        properties={others}
        required={[]}
        given={item.value}
        open={isStep ? ['title', 'input', 'when'] : ['title', 'transitions']}
      />
    </div>
  );
}

function isKind(name: string): name is Kind {
  return (KINDS as readonly string[]).includes(name);
}

/** The name, which all that refers to it follows. */
function Name({ item, store }: { item: Item; store: EditorStore }): JSX.Element {
  const { model, disabled } = useForm();
  const [name, setName] = useState(item.id);
  const others = [...model.items.keys()].filter(one => one !== item.id);
  const problem = name === item.id ? '' : nameProblem(name, others);
  const take = (): void => {
    if (name !== item.id && !problem) {
      store.edit(draft => operations.rename(draft, item.id, name));
      store.select(name);
    }
  };
  return (
    <form
      className="agentnb-form-name"
      onSubmit={event => {
        event.preventDefault();
        take();
      }}
    >
      <input
        type="text"
        value={name}
        disabled={disabled}
        spellCheck={false}
        aria-label="Name"
        aria-invalid={problem !== '' || undefined}
        title="Its name: expressions that read it follow"
        data-testid="step-name"
        onChange={event => setName(event.currentTarget.value)}
        onBlur={take}
      />
      {problem && (
        <small className="agentnb-form-wrong" role="alert">
          {problem}
        </small>
      )}
    </form>
  );
}

/** What is done: its kind, and the field that the kind has. */
function Action({ path, value, kind }: { path: Path; value: Item['action']; kind: Kind | null }): JSX.Element {
  const { root, change, disabled, model } = useForm();
  const definition = root.$defs?.Action?.properties ?? {};
  const chosen = kind ? definition[kind] : undefined;
  const inner = model.kind === 'dag' ? [] : Object.entries(definition).filter(([name]) => !isKind(name));
  const swap = (next: Kind): void => {
    const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !isKind(name)));
    const fresh = blank(resolved(definition[next], root), root);
    change(path, { [next]: startOf(next, fresh, definition[next], root), ...rest });
  };
  return (
    <>
      <label className="agentnb-form-kind">
        <span>does</span>
        <select
          value={kind ?? ''}
          disabled={disabled}
          data-testid="kind"
          aria-label="What it does"
          onChange={event => swap(event.currentTarget.value as Kind)}
        >
          {!kind && <option value="">nothing yet</option>}
          {KINDS.map(one => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      {kind && chosen && <Field name={kind} path={[...path, kind]} schema={chosen} value={value[kind]} required />}
      {inner.length > 0 && <Fields path={path} properties={inner} required={[]} given={value} open={['input']} />}
    </>
  );
}

/** A first value that is valid where the schema alone can't say one. */
function startOf(kind: Kind, fresh: unknown, schema: Schema | undefined, root: Schema): unknown {
  const starts: Record<Kind, unknown> = {
    agent: 'assistant',
    tool: 'python:module.function',
    shell: { command: ['echo', 'hello'] },
    human: { prompt: 'Go on?' },
    webhook: { event: 'something.happened' },
    workflow: 'other.workflow.yaml',
  };
  const shape = shapeOf(resolved(schema, root), root);
  return starts[kind] ?? (shape.form === 'object' ? {} : fresh);
}

function NoStep({ item, store }: { item: Item; store: EditorStore }): JSX.Element {
  const { disabled } = useForm();
  return (
    <div className="agentnb-form-more">
      <button
        type="button"
        disabled={disabled}
        onClick={() => store.edit(draft => draft.set([...item.path, 'step'], { human: { prompt: 'Go on?' } }))}
      >
        + step
      </button>
    </div>
  );
}

/** What a step waits for: what stands in `needs`, and what its expressions read. */
function Needs({ item, store }: { item: Item; store: EditorStore }): JSX.Element {
  const { model, disabled, findings } = useForm();
  const free = [...model.items.keys()].filter(
    one => one !== item.id && !item.needs.includes(one) && !waitsFor(model, one, item.id),
  );
  const readOnly = item.reads.filter(one => !item.needs.includes(one));
  const wrong = findings.filter(one => one.path[1] === item.id && one.path[2] === 'needs');
  return (
    <div className="agentnb-form-field" data-testid="field:needs">
      <div className="agentnb-form-label">
        <code>needs</code>
      </div>
      <div className="agentnb-form-chips">
        {item.needs.map(one => (
          <span key={one} className="agentnb-form-chip" data-testid={`need:${one}`}>
            <button type="button" className="agentnb-editor-link" onClick={() => store.select(one)}>
              {one}
            </button>
            <button
              type="button"
              className="agentnb-form-clear"
              aria-label={`Don't wait for ${one}`}
              title={`Don't wait for ${one}`}
              disabled={disabled}
              onClick={() => store.edit(draft => operations.disconnect(draft, one, item.id))}
            >
              ×
            </button>
          </span>
        ))}
        {readOnly.map(one => (
          <span
            key={one}
            className="agentnb-form-chip"
            data-read="true"
            data-testid={`read:${one}`}
            title={`An expression here reads steps.${one}: that counts as a need, and goes with the expression`}
          >
            <button type="button" className="agentnb-editor-link" onClick={() => store.select(one)}>
              {one}
            </button>
            <small>read</small>
          </span>
        ))}
        {free.length > 0 && (
          <select
            value=""
            disabled={disabled}
            aria-label="Wait for another step"
            data-testid="add-need"
            onChange={event => store.edit(draft => operations.connect(draft, event.currentTarget.value, item.id))}
          >
            <option value="">+</option>
            {free.map(one => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
      </div>
      {wrong.map(one => (
        <small key={one.message} className="agentnb-form-wrong" role="alert">
          {one.message}
          {one.mend && `. ${one.mend}`}
        </small>
      ))}
    </div>
  );
}

/** What the workflow as a whole says. */
export function WorkflowForm({ onClose }: { onClose: () => void }): JSX.Element {
  const { root, model } = useForm();
  const data = isRecord(model.source.data) ? model.source.data : {};
  const hidden =
    model.kind === 'dag' ? ['steps', 'states', 'initial', 'max_transitions', 'kind'] : ['steps', 'states', 'kind'];
  return (
    <div className="agentnb-form" data-testid="workflow-form">
      <header>
        <strong>{model.name || 'Workflow'}</strong>
        <button type="button" className="agentnb-editor-icon" title="Close" onClick={onClose}>
          ×
        </button>
      </header>
      <Fields
        path={[]}
        properties={Object.entries(root.properties ?? {}).filter(([name]) => !hidden.includes(name))}
        required={['name']}
        given={data}
        open={['name', 'description', 'inputs', 'outputs', ...(model.kind === 'dag' ? [] : ['initial'])]}
      />
    </div>
  );
}
