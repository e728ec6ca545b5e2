import { Button } from '@jupyterlab/ui-components';
import { JSX, useEffect, useRef, useState } from 'react';

import { megabytes } from '../format';
import { useMay } from '../panels/me';
import { useModel } from './useModel';

/**
 * Says that a model is not on the server's machine, and fetches it; nothing where it is there.
 *
 * @param name - As for `useModel`.
 * @param begin - Whether to fetch it at once: in a cell, which has said what is missing.
 */
export function ModelOffer({ name, begin = false }: { name: string | null; begin?: boolean }): JSX.Element | null {
  const { model, fetch, cancel } = useModel(name);
  const may = useMay('execute', 'models');
  const pull = model?.pull;
  const going = pull?.status === 'running';
  const [wasMissing, setWasMissing] = useState(false);
  useEffect(() => {
    if (model && !model.installed) {
      setWasMissing(true);
    }
  }, [model]);
  const toBegin = useRef(begin);
  useEffect(() => {
    if (model && toBegin.current) {
      toBegin.current = false;
      fetch();
    }
  }, [model, fetch]);
  if (!model || (model.installed && !wasMissing && !begin)) {
    return null;
  }
  if (model.installed) {
    return (
      <div className="agentnb-offer" role="status" data-testid="agentnb-model-offer" data-status="completed">
        <span className="agentnb-status" data-status="completed">
          {model.name} is here{begin && ': run the cell again'}
        </span>
      </div>
    );
  }
  return (
    <section
      className="agentnb-offer"
      aria-label={`The model ${model.name}`}
      data-testid="agentnb-model-offer"
      data-status={pull?.status ?? 'missing'}
    >
      <div>
        {!begin && (
          <>
            <strong>{model.name} is not on this machine</strong>
            <p className="agentnb-muted">
              {model.default && 'Agents that name no model use it. '}
              {model.description} ({model.licence}).
            </p>
          </>
        )}
        {pull?.status === 'failed' && (
          <p className="agentnb-filter-problem" role="alert">
            {pull.problem}
          </p>
        )}
      </div>
      {going ? (
        <div className="agentnb-offer-progress">
          <progress
            aria-label={`Fetching ${model.name}`}
            {...(pull.total > 0 && { value: pull.done, max: pull.total })}
            data-testid="agentnb-model-progress"
          />
          <span className="agentnb-muted">
            {pull.task.startsWith('unpacking') ? 'Checking and unpacking' : 'Fetching'}
            {pull.total > 0 && ` · ${megabytes(pull.done)} of ${megabytes(pull.total)}`}
          </span>
          <Button small minimal onClick={cancel} data-testid="agentnb-model-cancel">
            Cancel
          </Button>
        </div>
      ) : (
        <Button
          small
          disabled={!may}
          title={may ? 'Onto the machine of this server, once' : 'The server’s authorizer refuses this to you'}
          onClick={fetch}
          data-testid="agentnb-model-fetch"
        >
          {pull?.status === 'failed' ? 'Try again' : `Fetch it (${megabytes(model.size)})`}
        </Button>
      )}
    </section>
  );
}
