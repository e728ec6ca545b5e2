import { createContext, useContext } from 'react';

import type { Finding } from '../findings';
import type { Model } from '../model';
import type { Schema } from '../schema';
import type { Path } from '../text/source';

/** What the fields of a form share. */
export interface FormContext {
  /** The JSON Schema of the document, with its definitions. */
  root: Schema;
  model: Model;
  /** The step or the state that is edited; empty for the workflow itself. */
  id: string;
  /** Names that a field may take, by the field: agents, tools. */
  choices: Readonly<Record<string, readonly string[]>>;
  findings: readonly Finding[];
  disabled: boolean;
  change: (path: Path, value: unknown) => void;
}

const Context = createContext<FormContext | null>(null);

export const FormProvider = Context.Provider;

export function useForm(): FormContext {
  const form = useContext(Context);
  if (!form) {
    throw new Error('a field is drawn outside its form');
  }
  return form;
}

/** The findings that a field shows: those at its place, or inside where nothing shows them. */
export function findingsAt(findings: readonly Finding[], path: Path, inner: boolean): Finding[] {
  return findings.filter(
    one =>
      one.path.length >= path.length &&
      (inner || one.path.length === path.length) &&
      path.every((part, place) => String(one.path[place]) === String(part)),
  );
}
