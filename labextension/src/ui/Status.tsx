import { JSX } from 'react';

/** A status as colour, glyph and word; `quiet` leaves the word to screen readers and to the pointer that rests. */
export function Status({ name, note, quiet }: { name: string; note?: string; quiet?: boolean }): JSX.Element {
  const said = note ? `${name} (${note})` : name;
  return (
    <span className="agentnb-status" data-status={name} title={quiet ? said : undefined}>
      {quiet ? <span className="agentnb-sr">{said}</span> : said}
    </span>
  );
}
