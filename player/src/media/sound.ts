/** Microphone and shared sound mixed into one track that lives as long as the class. */

export class SoundMixer {
  readonly context = new AudioContext();
  readonly track: MediaStreamTrack;
  private readonly output = this.context.createMediaStreamDestination();
  private readonly meter = this.context.createAnalyser();
  private readonly voice = this.context.createGain();
  private readonly nodes = new Map<string, MediaStreamAudioSourceNode>();
  private readonly samples: Float32Array<ArrayBuffer>;

  constructor() {
    this.meter.fftSize = 1024;
    this.samples = new Float32Array(this.meter.fftSize);
    this.voice.connect(this.output);
    this.voice.connect(this.meter);
    const [track] = this.output.stream.getAudioTracks();
    if (!track) throw new Error("no audio track");
    this.track = track;
  }

  setSource(name: "microphone" | "screen", track: MediaStreamTrack | null): void {
    this.nodes.get(name)?.disconnect();
    this.nodes.delete(name);
    if (!track) return;
    const node = this.context.createMediaStreamSource(new MediaStream([track]));
    node.connect(name === "microphone" ? this.voice : this.output);
    this.nodes.set(name, node);
  }

  setMuted(isMuted: boolean): void {
    // A short ramp instead of a click.
    this.voice.gain.setTargetAtTime(isMuted ? 0 : 1, this.context.currentTime, 0.02);
  }

  resume(): Promise<void> {
    return this.context.resume();
  }

  /** Level of the microphone now, dBFS, floor -60. */
  level_dbfs(): number {
    this.meter.getFloatTimeDomainData(this.samples);
    let sum = 0;
    for (const sample of this.samples) sum += sample * sample;
    return toDbfs(Math.sqrt(sum / this.samples.length));
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) node.disconnect();
    this.track.stop();
    await this.context.close();
  }
}

/** Pure: RMS amplitude 0..1 as dBFS, floor -60. */
export function toDbfs(rms: number): number {
  return rms <= 0.001 ? -60 : Math.max(-60, 20 * Math.log10(rms));
}

/** Pure: 0..1 for a meter. */
export function meterShare(dbfs: number): number {
  return Math.min(1, Math.max(0, (dbfs + 60) / 60));
}
