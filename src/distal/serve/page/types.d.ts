// Shapes of ../openapi.json that the page uses. Only the type checker reads this file.
export type Kind = 'clip' | 'ranges';
export type Role = 'annotator' | 'adjudicator' | 'owner';
export type ItemState = 'open' | 'settled' | 'left_out' | 'withdrawn';
export type Purpose = 'start' | 'pool' | 'held_out' | 'repeat';
export interface Session {
  user: string;
  role: Role;
  csrf: string;
  language: string | null;
}
export interface User {
  name: string;
  role: Role;
  created_ms: number;
  disabled: boolean;
  answered: number;
}
export interface ClassInfo {
  name: string;
  path: string[];
  key: string | null;
}
export interface Video {
  id: string;
  duration_s: number;
  proxy: string;
  frames: string;
}
export interface Pieces {
  itself: boolean;
  type: string;
  starts: number[];
  duration_s: number;
}
export interface Item {
  id: number;
  kind: Kind;
  purpose: Purpose;
  study: string;
  clip: string;
  video: Video;
  start_s: number;
  end_s: number;
  strategy: string | null;
  score: number | null;
  round: number | null;
  state: ItemState;
  lease_until_ms: number | null;
}
export interface NextReply {
  items: Item[];
  left: number;
}
export interface Neighbour {
  clip: string;
  class: string;
  distance: number;
  picture: string;
}
export interface Why {
  strategy: string | null;
  score: number | null;
  guess: {class: string; p: number}[];
  first: {class: string; p: number}[];
  neighbours: Neighbour[];
}
export interface Range {
  start_s: number;
  end_s: number;
  class: string;
}
export interface NewAnswer {
  item: number;
  class?: string;
  skipped?: boolean;
  unsure: boolean;
  note: string;
  ranges?: Range[];
  began_ms: number;
  seconds: number;
}
export interface Answer {
  uuid: string;
  item: number;
  kind: Kind;
  clip: string;
  person: string;
  class: string | null;
  skipped: boolean;
  unsure: boolean;
  note: string;
  ranges: Range[];
  source: string;
  answered_ms: number;
  seconds: number;
  undone: boolean;
  used: boolean;
}
export interface Undone {
  uuid: string;
  state: 'undone';
  item: Item | null;
}
export interface GalleryItem {
  id: number;
  kind: Kind;
  purpose: Purpose;
  study: string;
  clip: string;
  state: ItemState;
  round: number | null;
  strategy: string | null;
  score: number | null;
  class: string | null;
  answers: number;
  start_s: number;
  end_s: number;
  video: string;
  picture: string;
}
export interface Study {
  name: string;
  branch_of: string | null;
  state: 'running' | 'waiting' | 'paused' | 'stopped' | 'done' | 'failed';
  arms: string[];
  seeds: number;
  rounds: number;
  open_items: number;
  answered: number;
  minutes_left: number | null;
  held_out: {size: number; answered: number; shows: string} | null;
}
export interface StudyEvent {
  study: Study;
  stage?: string;
}
export interface StudyOption {
  key: string;
  value: string;
}
export interface MapPoint {
  id: number;
  x: number;
  y: number;
  class: string | null;
  role: 'pool' | 'labelled' | 'test';
  clip: string;
  item: number | null;
}
export interface StudyMap {
  method: 'pca' | 'umap';
  state: 'ready' | 'computing' | 'absent';
  arm: string | null;
  seed: number | null;
  round: number | null;
  total: number;
  shown: number;
  note: string;
  points: MapPoint[];
}
export interface MapClip {
  id: number;
  clip: string;
  video: Video;
  start_s: number;
  end_s: number;
  class: string | null;
  item: number | null;
  picture: string;
}
export interface CurvePoint {
  round: number;
  answers: number;
  accuracy: number;
  low: number | null;
  high: number | null;
}
export interface Curve {
  arm: string;
  seed: number;
  points: CurvePoint[];
}
export interface Confusion {
  arm: string;
  seed: number;
  round: number;
  classes: string[];
  counts: number[][];
}
export interface StudyDetail extends Study {
  curves: Curve[];
  confusion: Confusion | null;
  classes: {name: string; answered: number}[];
  stages: {name: string; seconds: number}[];
  quarantined: {path: string; reason: string}[];
  notes: string[];
  stage: string;
}
export interface Conflict {
  item: Item;
  answers: Answer[];
}
export interface Agreement {
  items: number;
  people: number;
  cohen: {a: string; b: string; kappa: number | null; n: number}[];
  fleiss: {kappa: number | null; n: number};
  krippendorff: {alpha: number | null; n: number};
  intra: {person: string; kappa: number | null; agreed: number; n: number}[];
}

// What the browser keeps.
export interface Entry {
  seq?: number;
  op: 'put' | 'undo';
  uuid: string;
  user: string;
  body: NewAnswer | null;
  item: Item | null;
  at: number;
  state: 'pending' | 'sent' | 'refused';
  error: string;
  undone: boolean;
}
export interface Draft {
  class: string | null;
  unsure: boolean;
  note: string;
  ranges: Range[];
}
export interface Settings {
  theme: 'auto' | 'light' | 'dark';
  language: '' | 'en' | 'ko';
  keys: Record<string, string[]>;
  classKeys: Record<string, string>;
  rate: number;
  stride: number;
  submitByKey: boolean;
}
