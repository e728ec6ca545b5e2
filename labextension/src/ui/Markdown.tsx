import { MimeModel } from '@jupyterlab/rendermime';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { JSX, useEffect, useRef } from 'react';

import { useServices } from '../panels/services';

const MARKDOWN = 'text/markdown';

/** Markdown as JupyterLab renders it; never trusted, so that no script of a model's runs. Drawn anew in place while it grows. */
export function Markdown({ text }: { text: string }): JSX.Element {
  const { rendermime } = useServices();
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef('');
  const drawing = useRef(false);
  const wanted = useRef(text);
  wanted.current = text;
  useEffect(() => {
    const host = place.current;
    if (!rendermime || !host) {
      return;
    }
    const draw = async (): Promise<void> => {
      drawing.current = true;
      while (drawn.current !== wanted.current && host.isConnected) {
        const source = wanted.current;
        const renderer = rendermime.createRenderer(MARKDOWN);
        await renderer.renderModel(new MimeModel({ data: { [MARKDOWN]: source }, trusted: false }));
        host.replaceChildren(renderer.node);
        MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
        drawn.current = source;
      }
      drawing.current = false;
    };
    if (!drawing.current) {
      void draw();
    }
  }, [rendermime, text]);
  return (
    <div className="agentnb-answer" data-testid="agentnb-answer" ref={place}>
      {rendermime ? null : <pre>{text}</pre>}
    </div>
  );
}
