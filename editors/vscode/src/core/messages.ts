/** Texts for VS Code's messages, which make links of `[label](target)`, also links that run a command. */

/** `message` without such links: it may have what a remote engine, a package index or a model's author wrote. */
export function withoutLinks(message: string): string {
  return message.replaceAll("](", "]\u200b(");
}
