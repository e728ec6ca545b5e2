import { createRoot } from 'react-dom/client';

import { Services, ServicesProvider } from '../panels/services';
import { ModelOffer } from './ModelOffer';

/** Fetches a model, and shows how far that is in the place of the button that asked for it. */
export function offerModel(services: Services, model: string, button: HTMLElement): void {
  const host = document.createElement('div');
  button.replaceWith(host);
  createRoot(host).render(
    <ServicesProvider value={services}>
      <ModelOffer name={model} begin />
    </ServicesProvider>,
  );
}
