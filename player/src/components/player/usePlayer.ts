/** Everything the player's view shows, kept in step with HLS or WHEP on one `<video>`. */
import { onBeforeUnmount, reactive, ref, type Ref } from "vue";
import { chosenTrack, loadCaptionChoice, saveCaptionChoice } from "@/media/captionChoice";
import {
  HlsSession,
  type CaptionChoice,
  type HlsSource,
  type QualityLevel,
} from "@/media/hlsSession";
import { safeStorage } from "@/app/preferences";
import { isAtLiveEdge } from "@/media/classPhase";
import { WhepViewer } from "@/media/whep";

export interface PlayerSource {
  hls_url: string;
  audio_url: string | null;
  whep_url: string | null;
  isLive: boolean;
  start_s: number | null;
  iceServers: RTCIceServer[];
}

export interface PlayerCallbacks {
  onLiveEnded: () => void;
  onStarving: (isStarving: boolean) => void;
}

export type Obstacle = "none" | "blocked" | "muted" | "denied" | "unsupported";

const STARVING_AFTER_MS = 2_500;
const TICK_MS = 500;
const WORDS_MS = 50; // Words come within two pictures of their time, also after a jump.

export function usePlayer(video: Ref<HTMLVideoElement | null>, callbacks: PlayerCallbacks) {
  const view = reactive({
    isReady: false,
    isAudioOnly: false,
    isWhep: false,
    whepFailed: false,
    levels: [] as QualityLevel[],
    level: -1,
    isAuto: true,
    latency_s: null as number | null,
    isAtEdge: true,
    obstacle: "none" as Obstacle,
    hasEnded: false,
    captions: [] as CaptionChoice[],
    /** -1 is none. */
    caption: -1,
    /** What is being said, in lines. */
    words: "",
  });
  const store = safeStorage();
  const source = ref<PlayerSource | null>(null);
  let session: HlsSession | null = null;
  let whep: WhepViewer | null = null;
  let moved = { at_ms: 0, position_s: -1 };
  let isStarving = false;
  const timer = window.setInterval(tick, TICK_MS);
  const wordsTimer = window.setInterval(readWords, WORDS_MS);

  function tick(): void {
    const element = video.value;
    const current = source.value;
    if (!element || !current) return;
    watchStarvation(element);
    if (!current.isLive) return;
    if (view.isWhep) {
      view.isAtEdge = true;
      view.latency_s = null;
      return;
    }
    const timing = session?.timing;
    if (!timing) return;
    view.latency_s = timing.latency_s;
    view.isAtEdge = isAtLiveEdge(timing.behind_s);
  }

  function watchStarvation(element: HTMLVideoElement): void {
    const now = performance.now();
    if (element.paused || element.ended || element.currentTime !== moved.position_s) {
      moved = { at_ms: now, position_s: element.currentTime };
    }
    const isLate = now - moved.at_ms > STARVING_AFTER_MS;
    if (isLate === isStarving) return;
    isStarving = isLate;
    callbacks.onStarving(isLate);
  }

  function hlsSource(current: PlayerSource, start_s: number | null): HlsSource {
    const url = view.isAudioOnly && current.audio_url ? current.audio_url : current.hls_url;
    return { url, isLive: current.isLive, start_s };
  }

  async function open(next: PlayerSource, options: { autoplay: boolean }): Promise<void> {
    const element = video.value;
    if (!element) return;
    closeWhep();
    source.value = next;
    view.isReady = false;
    view.hasEnded = false;
    view.obstacle = "none";
    view.latency_s = null;
    view.captions = [];
    view.caption = -1;
    view.words = "";
    if (next.audio_url === null) view.isAudioOnly = false;
    if (session) await session.switchTo(hlsSource(next, next.start_s));
    else {
      session = newSession(element, hlsSource(next, next.start_s));
      await session.open();
    }
    if (options.autoplay) await play();
  }

  function newSession(element: HTMLVideoElement, from: HlsSource): HlsSession {
    return new HlsSession(element, from, {
      onReady: () => {
        view.isReady = true;
      },
      onLevels: (levels, selected, isAuto) => {
        view.levels = levels;
        view.level = selected;
        view.isAuto = isAuto;
      },
      onCaptions: (choices) => {
        view.captions = choices;
        show(chosenTrack(choices, loadCaptionChoice(store)));
      },
      onEnded: callbacks.onLiveEnded,
      onDenied: () => {
        view.obstacle = "denied";
      },
      onUnsupported: () => {
        view.obstacle = "unsupported";
      },
    });
  }

  /** With sound if the browser lets us, else silent with a button, else a button to start. */
  async function play(): Promise<void> {
    const element = video.value;
    if (!element) return;
    try {
      await element.play();
      if (view.obstacle === "blocked") view.obstacle = "none";
      return;
    } catch (error) {
      if (!isBlocked(error)) return; // Interrupted by a newer load; that one plays.
    }
    try {
      element.muted = true;
      await element.play();
      view.obstacle = "muted";
    } catch (error) {
      if (isBlocked(error)) view.obstacle = "blocked";
    }
  }

  function unmute(): void {
    if (video.value) {
      video.value.muted = false;
      if (video.value.volume < 0.1) video.value.volume = 1;
    }
    view.obstacle = "none";
    void play();
  }

  async function setAudioOnly(isOn: boolean): Promise<void> {
    const element = video.value;
    const current = source.value;
    if (!element || !current?.audio_url || !session || isOn === view.isAudioOnly) return;
    const wasPlaying = !element.paused;
    const stay = current.isLive && view.isAtEdge ? null : element.currentTime;
    closeWhep();
    view.isAudioOnly = isOn;
    await session.switchTo(hlsSource(current, stay));
    if (wasPlaying) await play();
  }

  function selectLevel(index: number): void {
    session?.selectLevel(index);
  }

  function goLive(): void {
    session?.goLive();
    view.isAtEdge = true;
    void play();
  }

  async function setWhep(isOn: boolean): Promise<void> {
    const element = video.value;
    const current = source.value;
    if (!element || !current || isOn === view.isWhep) return;
    if (!isOn) {
      closeWhep();
      await open({ ...current, start_s: null }, { autoplay: true });
      return;
    }
    if (!current.whep_url) return;
    session?.close();
    session = null;
    view.isAudioOnly = false;
    view.isWhep = true;
    view.whepFailed = false;
    whep = new WhepViewer({
      url: current.whep_url,
      iceServers: current.iceServers,
      video: element,
      onPlaying: () => {
        view.isReady = true;
      },
      onLost: () => {
        view.whepFailed = true;
        view.isWhep = false;
        whep = null;
        void open({ ...current, start_s: null }, { autoplay: true });
      },
    });
    await whep.start();
  }

  function closeWhep(): void {
    whep?.close();
    whep = null;
    view.isWhep = false;
  }

  function show(index: number): void {
    view.caption = index;
    view.words = "";
    session?.selectCaptions(index);
  }

  /** A person's choice: kept for the next lecture. */
  function selectCaptions(index: number): void {
    saveCaptionChoice(store, view.captions[index]?.language ?? "off");
    show(index);
  }

  /** On or off; false when there are none. */
  function toggleCaptions(): boolean {
    if (view.captions.length === 0) return false;
    const remembered = chosenTrack(view.captions, loadCaptionChoice(store));
    selectCaptions(view.caption >= 0 ? -1 : Math.max(0, remembered));
    return true;
  }

  /** The words of the chosen track, as the cues come and go. */
  function readWords(): void {
    const element = video.value;
    if (!element || view.caption < 0) {
      if (view.words !== "") view.words = "";
      return;
    }
    const words = plainText(session?.wordsAt(view.caption, element.currentTime) ?? "");
    if (words !== view.words) view.words = words;
  }

  function nudge(): void {
    session?.nudge();
  }

  onBeforeUnmount(() => {
    window.clearInterval(timer);
    window.clearInterval(wordsTimer);
    closeWhep();
    session?.close();
    session = null;
  });

  return {
    view,
    open,
    play,
    unmute,
    setAudioOnly,
    selectLevel,
    goLive,
    setWhep,
    selectCaptions,
    toggleCaptions,
    nudge,
  };
}

function isBlocked(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotAllowedError";
}

/** Without the marks that WebVTT allows in a cue. */
function plainText(text: string): string {
  return text
    .replace(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&nbsp;", "\u00a0")
    .replaceAll("&lrm;", "")
    .replaceAll("&rlm;", "")
    .replaceAll("&amp;", "&");
}
