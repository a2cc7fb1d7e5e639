/** Which documents the server is sent: those of folders with suggestions. */
import * as vscode from "vscode";
import {
  DidCloseTextDocumentNotification,
  DidOpenTextDocumentNotification,
  type LanguageClient,
  type Middleware,
} from "vscode-languageclient/node";
import { isAnsweredIn, isEnabled } from "./configuration";

export class SharedDocuments {
  private readonly open = new Set<string>();

  /** Keeps the documents of a folder whose suggestions are off from the server. */
  readonly middleware: Pick<Middleware, "didOpen" | "didChange" | "didSave" | "didClose" | "notebooks"> = {
    didOpen: async (document, next) => {
      if (isAnsweredIn(document)) {
        this.open.add(document.uri.toString());
        await next(document);
      }
    },
    didChange: (event, next) => (this.has(event.document) ? next(event) : Promise.resolve()),
    didSave: (document, next) => (this.has(document) ? next(document) : Promise.resolve()),
    didClose: async (document, next) => {
      if (this.open.delete(document.uri.toString())) {
        await next(document);
      }
    },
    notebooks: {
      didOpen: async (notebook, cells, next) => {
        if (isEnabled(notebook)) {
          this.open.add(notebook.uri.toString());
          await next(notebook, cells);
        }
      },
      didChange: (event, next) => (this.has(event.notebook) ? next(event) : Promise.resolve()),
      didSave: (notebook, next) => (this.has(notebook) ? next(notebook) : Promise.resolve()),
      didClose: async (notebook, cells, next) => {
        if (this.open.delete(notebook.uri.toString())) {
          await next(notebook, cells);
        }
      },
    },
  };

  /**
   * Send the server what it may have now, and close what it may not have any more. A notebook, whose cells the client
   * sends as one, keeps what held when it was opened.
   */
  async update(client: LanguageClient): Promise<void> {
    const { code2ProtocolConverter: convert } = client;
    const documents = vscode.workspace.textDocuments;
    for (const document of documents.filter(({ uri }) => uri.scheme !== "vscode-notebook-cell")) {
      const uri = document.uri.toString();
      if (isAnsweredIn(document) && !this.open.has(uri)) {
        this.open.add(uri);
        await client.sendNotification(
          DidOpenTextDocumentNotification.type,
          convert.asOpenTextDocumentParams(document),
        );
      } else if (!isAnsweredIn(document) && this.open.delete(uri)) {
        await client.sendNotification(
          DidCloseTextDocumentNotification.type,
          convert.asCloseTextDocumentParams(document),
        );
      }
    }
  }

  private has({ uri }: { readonly uri: vscode.Uri }): boolean {
    return this.open.has(uri.toString());
  }
}
