/**
 * The bridge between the feed of the Stately protocol and the Stately Inspector in the frame: what the page of the
 * package's own server does, for one frame of one origin, and with a connection that comes back.
 */
const RETRY_MS = 1_000;
/** What the inspector's receiver says when it can take events. */
const CONNECTED = '@statelyai.connected';

const frame = document.querySelector<HTMLIFrameElement>('#inspector');
const state = document.querySelector<HTMLElement>('#state');
if (frame === null || state === null) throw new Error('the page is not complete');

const inspectorOrigin = new URL(frame.src).origin;
let socket: WebSocket | undefined;

function connect(): void {
  const url = new URL('/stately/feed', location.href);
  url.protocol = 'ws:';
  socket = new WebSocket(url);
  socket.addEventListener('open', () => tell('Live: the machines of this engine.'));
  socket.addEventListener('message', ({ data }) => {
    frame?.contentWindow?.postMessage(JSON.parse(String(data)), inspectorOrigin);
  });
  socket.addEventListener('close', () => {
    tell('The engine is gone; trying again.');
    setTimeout(connect, RETRY_MS);
  });
}

function tell(text: string): void {
  if (state) state.textContent = text;
}

// The feed begins with the history, so it is asked for only when somebody can take it.
addEventListener('message', ({ data, source, origin }: MessageEvent<unknown>) => {
  if (source !== frame.contentWindow || origin !== inspectorOrigin) return;
  if (typeof data !== 'object' || data === null || (data as { type?: unknown }).type !== CONNECTED) return;
  // A frame that was loaded anew begins with the history again.
  if (socket === undefined) connect();
  else socket.close();
});
