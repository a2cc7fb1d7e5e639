declare module "jsdom" {
  export class JSDOM {
    constructor(html: string, options?: { runScripts?: "dangerously"; pretendToBeVisual?: boolean });
    readonly window: Window & typeof globalThis;
  }
}
