import type { NodeKind } from '../graph/types';
import type { Model } from './model';
import type { Body } from './operations';

/** Something that can be added to a workflow. */
export interface Entry {
  id: string;
  group: 'Steps' | 'Agents' | 'Tools' | 'Workflows' | 'Templates';
  kind: NodeKind;
  title: string;
  detail: string;
  /** What its step is called, where that is free. */
  name: string;
  body: Body;
  /** The name of a template, whose steps are added all together. */
  template?: string;
}

/** What the server knows of. */
export interface Known {
  agents: { name: string; instructions: string; tools: string[] }[];
  workflows: string[];
  templates: { name: string; description: string }[];
}

export const NOTHING_KNOWN: Known = { agents: [], workflows: [], templates: [] };

/** All that can be added, in the order in which it is shown. */
export function entriesOf(model: Model, known: Known): Entry[] {
  const firstAgent = model.agents[0] ?? known.agents[0]?.name ?? 'assistant';
  const firstInput = model.inputs[0];
  const text = firstInput ? `\${inputs.${firstInput}}` : 'What shall it do?';
  const kinds: [NodeKind, string, Body][] = [
    ['agent', 'an agent is asked', { agent: firstAgent, input: text }],
    ['tool', 'a Python function is called', { tool: 'python:module.function' }],
    ['shell', 'a command is run', { shell: { command: ['echo', 'hello'] } }],
    ['human', 'a person is asked', { human: { prompt: 'Go on?' } }],
    ['webhook', 'a request, or an event', { webhook: { event: 'something.happened' } }],
    ['workflow', 'another workflow is run', { workflow: known.workflows[0] ?? 'other.workflow.yaml' }],
  ];
  const steps = kinds.map(([kind, detail, body]): Entry => ({
    id: `kind:${kind}`,
    group: 'Steps',
    kind,
    title: kind,
    detail,
    name: model.kind === 'dag' ? kind : kind.toUpperCase(),
    body,
  }));
  const states: Entry[] =
    model.kind === 'dag'
      ? []
      : [
          {
            id: 'kind:state',
            group: 'Steps',
            kind: 'state',
            title: 'state',
            detail: 'does nothing, waits or ends',
            name: 'STATE',
            body: {},
          },
        ];
  const own = model.agents.map(name => ({ name, detail: 'of this workflow' }));
  const others = known.agents
    .filter(one => !model.agents.includes(one.name))
    .map(one => ({ name: one.name, detail: one.instructions || 'an agent of the store' }));
  const agents = [...own, ...others].map(({ name, detail }): Entry => ({
    id: `agent:${name}`,
    group: 'Agents',
    kind: 'agent',
    title: name,
    detail,
    name,
    body: { agent: name, input: text },
  }));
  return [
    ...states,
    ...steps,
    ...agents,
    ...toolsOf(model, known).map((name): Entry => ({
      id: `tool:${name}`,
      group: 'Tools',
      kind: 'tool',
      title: name.replace(/^python:/, ''),
      detail: 'a tool',
      name: name.split('.').at(-1) ?? name,
      body: { tool: name },
    })),
    ...known.workflows.map((name): Entry => ({
      id: `workflow:${name}`,
      group: 'Workflows',
      kind: 'workflow',
      title: name,
      detail: 'another workflow, as one step',
      name,
      body: { workflow: name },
    })),
    ...known.templates.map(({ name, description }): Entry => ({
      id: `template:${name}`,
      group: 'Templates',
      kind: 'workflow',
      title: name,
      detail: description,
      name,
      body: {},
      template: name,
    })),
  ];
}

/** The tools that are named anywhere in sight. */
function toolsOf(model: Model, known: Known): string[] {
  const used = [...model.items.values()].flatMap(item =>
    typeof item.action.tool === 'string' ? [item.action.tool] : [],
  );
  return [...new Set([...used, ...known.agents.flatMap(one => one.tools)])];
}

/** The entries that fit what was typed: those whose name begins with it first. */
export function matching(entries: readonly Entry[], typed: string): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = (entry: Entry): number => {
    const title = entry.title.toLowerCase();
    const all = `${title} ${entry.kind} ${entry.group} ${entry.detail}`.toLowerCase();
    if (!words.every(word => all.includes(word))) {
      return -1;
    }
    return title.startsWith(words[0] ?? '') ? 2 : words.every(word => title.includes(word)) ? 1 : 0;
  };
  return entries
    .map((entry, place) => ({ entry, place, rank: rank(entry) }))
    .filter(one => one.rank >= 0)
    .sort((one, other) => other.rank - one.rank || one.place - other.place)
    .map(one => one.entry);
}
