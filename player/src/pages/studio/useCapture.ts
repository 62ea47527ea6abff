/** Camera, microphone and screen of the instructor, mixed into one picture and one sound. */
import { onBeforeUnmount, reactive, shallowRef } from "vue";
import { createCompositor, type Compositor, type CompositorCard } from "@/media/compositor";
import type { SceneMode } from "@/media/layout";
import { SoundMixer } from "@/media/sound";

export type CaptureFailure = "insecure" | "denied" | "missing" | "in_use" | "other";

const METER_MS = 100;

/** Pure: what went wrong with a device, from the name of the browser's error. */
export function captureFailure(name: string): CaptureFailure {
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "in_use";
  return "other";
}

export function useCapture(card: () => CompositorCard) {
  const view = reactive({
    isOpen: false,
    mode: "camera" as SceneMode,
    isMuted: false,
    hasCamera: false,
    hasMicrophone: false,
    hasScreen: false,
    cameras: [] as MediaDeviceInfo[],
    microphones: [] as MediaDeviceInfo[],
    cameraId: "",
    microphoneId: "",
    level_dbfs: -60,
    /** Highest level since the microphone was opened: has it ever been heard? */
    peak_dbfs: -60,
    failure: null as CaptureFailure | null,
  });
  const preview = shallowRef<MediaStream | null>(null);
  let compositor: Compositor | null = null;
  let sound: SoundMixer | null = null;
  const tracks: Record<
    "camera" | "microphone" | "screen" | "screenSound",
    MediaStreamTrack | null
  > = {
    camera: null,
    microphone: null,
    screen: null,
    screenSound: null,
  };
  const meter = window.setInterval(() => {
    if (!sound) return;
    view.level_dbfs = view.isMuted ? -60 : sound.level_dbfs();
    view.peak_dbfs = Math.max(view.peak_dbfs, view.level_dbfs);
  }, METER_MS);

  async function open(): Promise<void> {
    view.failure = null;
    if (!window.isSecureContext || !("mediaDevices" in navigator)) {
      view.failure = "insecure";
      return;
    }
    sound ??= new SoundMixer();
    compositor ??= createCompositor(view.mode, card());
    await sound.resume();
    await useMicrophone(view.microphoneId);
    await useCamera(view.cameraId);
    await listDevices();
    preview.value = new MediaStream([compositor.track]);
    view.isOpen = view.hasCamera || view.hasMicrophone;
    navigator.mediaDevices.addEventListener("devicechange", onDeviceChange);
  }

  async function useCamera(deviceId: string): Promise<void> {
    stop("camera");
    const track = await firstTrack("video", {
      video: {
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        width: { ideal: 1280 },
        height: { ideal: 720 },
        frameRate: { ideal: 25, max: 30 },
      },
    });
    tracks.camera = track;
    view.hasCamera = track !== null;
    view.cameraId = track?.getSettings().deviceId ?? deviceId;
    compositor?.setSource("camera", track);
    track?.addEventListener("ended", () => {
      if (tracks.camera !== track) return;
      view.hasCamera = false;
      view.failure = "missing";
    });
  }

  async function useMicrophone(deviceId: string): Promise<void> {
    stop("microphone");
    view.peak_dbfs = -60;
    const track = await firstTrack("audio", {
      audio: {
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
      },
    });
    tracks.microphone = track;
    view.hasMicrophone = track !== null;
    view.microphoneId = track?.getSettings().deviceId ?? deviceId;
    sound?.setSource("microphone", track);
  }

  async function firstTrack(
    kind: "audio" | "video",
    wanted: MediaStreamConstraints,
  ): Promise<MediaStreamTrack | null> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wanted);
      return stream.getTracks().find((track) => track.kind === kind) ?? null;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      view.failure = captureFailure(error.name);
      return null;
    }
  }

  async function setMode(mode: SceneMode): Promise<void> {
    if ((mode === "screen" || mode === "both") && !view.hasScreen && !(await shareScreen())) return;
    view.mode = mode;
    compositor?.setMode(mode);
  }

  async function shareScreen(): Promise<boolean> {
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 25, max: 30 } },
        audio: true,
      });
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      return false; // The instructor closed the chooser: nothing changes.
    }
    stop("screen");
    const [picture] = stream.getVideoTracks();
    if (!picture) return false;
    const [voice] = stream.getAudioTracks();
    tracks.screen = picture;
    tracks.screenSound = voice ?? null;
    picture.contentHint = "detail";
    view.hasScreen = true;
    compositor?.setSource("screen", picture);
    sound?.setSource("screen", voice ?? null);
    picture.addEventListener("ended", () => {
      if (tracks.screen === picture) stopScreen();
    });
    return true;
  }

  function stopScreen(): void {
    stop("screen");
    void setMode("camera");
  }

  function setMuted(isMuted: boolean): void {
    view.isMuted = isMuted;
    sound?.setMuted(isMuted);
  }

  async function listDevices(): Promise<void> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    view.cameras = devices.filter((device) => device.kind === "videoinput");
    view.microphones = devices.filter((device) => device.kind === "audioinput");
  }
  const onDeviceChange = (): void => {
    void listDevices();
  };

  function stop(name: "camera" | "microphone" | "screen"): void {
    tracks[name]?.stop();
    tracks[name] = null;
    if (name === "microphone") {
      sound?.setSource("microphone", null);
      view.hasMicrophone = false;
      return;
    }
    compositor?.setSource(name, null);
    if (name === "camera") view.hasCamera = false;
    else {
      tracks.screenSound?.stop();
      tracks.screenSound = null;
      sound?.setSource("screen", null);
      view.hasScreen = false;
    }
  }

  function output(): { video: MediaStreamTrack; audio: MediaStreamTrack | null } | null {
    return compositor ? { video: compositor.track, audio: sound?.track ?? null } : null;
  }

  function close(): void {
    window.clearInterval(meter);
    stop("camera");
    stop("microphone");
    stop("screen");
    compositor?.close();
    compositor = null;
    void sound?.close();
    sound = null;
    if ("mediaDevices" in navigator) {
      navigator.mediaDevices.removeEventListener("devicechange", onDeviceChange);
    }
  }
  onBeforeUnmount(close);
  return { view, preview, open, useCamera, useMicrophone, setMode, stopScreen, setMuted, output };
}
