import { ServerConnection } from '@jupyterlab/services';

/** Where the REST API lies below the server's base URL. */
export const ROOT = 'agentnb/api/v1';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the server answered where it did not do what it was asked: RFC 9457, as far as the answer holds one. */
export class Problem extends Error {
  /**
   * @param status - The HTTP status; 0 where no answer came at all.
   * @param title - What kind of problem it is.
   * @param detail - What happened here, and the mend.
   */
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title);
  }

  /** Nobody answered: the server restarts, or the network is gone. */
  get isGone(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }

  /** The user may not do this. */
  get isForbidden(): boolean {
    return this.status === 401 || this.status === 403;
  }

  get isMissing(): boolean {
    return this.status === 404 || this.status === 410;
  }
}

/** Asks the server's REST API, with the base URL, the token and the XSRF cookie of the page. */
export class Client {
  constructor(readonly settings: ServerConnection.ISettings) {}

  /** Reads JSON. */
  async get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return (await (await this.request(path, query, { method: 'GET', ...(signal && { signal }) })).json()) as T;
  }

  /**
   * Sends JSON; a request that is sent again with the same key is done once.
   *
   * @param key - The idempotency key.
   */
  async post<T>(path: string, body: unknown = {}, key: string = crypto.randomUUID()): Promise<T> {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    const response = await this.request(path, {}, { method: 'POST', body: JSON.stringify(body), headers });
    const text = await response.text();
    return (text ? JSON.parse(text) : null) as T;
  }

  async remove(path: string): Promise<void> {
    await this.request(path, {}, { method: 'DELETE' });
  }

  /**
   * An answer that is good.
   *
   * @throws Problem - It isn't, or there is none.
   */
  async request(path: string, query: Query, init: RequestInit): Promise<Response> {
    const settled = { cache: 'no-cache' as const, ...init }; // no-store would put the time into the URL
    const response = await ServerConnection.makeRequest(this.url(path, query), settled, this.settings).catch(
      (reason: unknown) => {
        if (init.signal?.aborted) {
          throw reason;
        }
        throw new Problem(0, 'The server does not answer', String(reason instanceof Error ? reason.message : reason));
      },
    );
    if (!response.ok) {
      throw await problemOf(response);
    }
    return response;
  }

  private url(path: string, query: Query): string {
    const given = Object.entries(query).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, String(value)]],
    );
    const search = given.length ? `?${new URLSearchParams(given).toString()}` : '';
    return `${this.settings.baseUrl}${ROOT}${path}${search}`;
  }
}

/** A part of a path. */
export function part(text: string): string {
  return encodeURIComponent(text);
}

/** What to say of anything that was thrown. */
export function asProblem(reason: unknown): Problem {
  return reason instanceof Problem
    ? reason
    : new Problem(-1, 'Something went wrong', reason instanceof Error ? reason.message : String(reason));
}

async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  const said = (body && typeof body === 'object' ? body : {}) as Record<string, unknown>;
  const text = (name: string): string => (typeof said[name] === 'string' ? said[name] : '');
  return new Problem(response.status, text('title') || response.statusText, text('detail') || text('message'));
}
