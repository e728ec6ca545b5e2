import { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';

/** What a page fetches by itself: an answer with one of these could tell somebody who reads it, and what it says. */
const FETCHED = 'img, picture, video, audio, source, track, link, iframe, object, embed, image, use';

/** A registry that renders no pictures: what a model writes is not trusted, and a picture's address can carry data away. */
export function withoutPictures(rendermime: IRenderMimeRegistry): IRenderMimeRegistry {
  const { sanitizer } = rendermime;
  const strict: IRenderMime.ISanitizer = {
    sanitize: (dirty, options) => {
      const page = new DOMParser().parseFromString(sanitizer.sanitize(dirty, options), 'text/html'); // which fetches nothing
      page.querySelectorAll(FETCHED).forEach(node => node.replaceWith(node.getAttribute('alt') ?? ''));
      page.querySelectorAll('[style]').forEach(node => node.removeAttribute('style'));
      return page.body.innerHTML;
    },
  };
  return rendermime.clone({ sanitizer: strict });
}
