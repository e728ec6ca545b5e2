import { ICellModel } from '@jupyterlab/cells';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { CellList, StaticNotebook } from '@jupyterlab/notebook';

import { isMagicMimeType, mimeTypeOf } from './magic';

/**
 * Keeps the editor language of a notebook's code cells in step with their cell magics.
 *
 * JupyterLab sets the language of all code cells whenever it learns the kernel's; the cells' own signal says so, and the
 * magic's language is put back. Nothing walks over the notebook after it was opened.
 *
 * @param notebook - The notebook.
 * @param languages - The editor's languages, where the application has them.
 */
export function followMagics(notebook: StaticNotebook, languages: IEditorLanguageRegistry | null): void {
  const followed = new WeakSet<ICellModel | CellList>();

  const update = async (cell: ICellModel): Promise<void> => {
    const current = cell.mimeType;
    const wanted = () => mimeTypeOf(cell.sharedModel.getSource(), notebook.codeMimetype);
    if (current === wanted() || !(isMagicMimeType(current) || isMagicMimeType(wanted()))) {
      return;
    }
    // The editor loads a language when it is first asked for; of two requests the faster one must not win.
    if (languages) {
      await Promise.allSettled([languages.getLanguage(current), languages.getLanguage(wanted())]);
    }
    if (!cell.isDisposed) {
      cell.mimeType = wanted();
    }
  };

  const followCell = (cell: ICellModel): void => {
    if (cell.type !== 'code' || followed.has(cell)) {
      return;
    }
    followed.add(cell);
    cell.mimeTypeChanged.connect(() => void update(cell));
    cell.sharedModel.changed.connect((_, change) => {
      if (change.sourceChange) {
        void update(cell);
      }
    });
    void update(cell);
  };

  const followModel = (): void => {
    const cells = notebook.model?.cells;
    if (!cells || followed.has(cells)) {
      return;
    }
    followed.add(cells);
    cells.changed.connect((_, change) => change.newValues.forEach(followCell));
    for (const cell of cells) {
      followCell(cell);
    }
  };

  notebook.modelChanged.connect(followModel);
  followModel();
}
