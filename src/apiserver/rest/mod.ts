/** What controllers and admission use of the REST room. */
export * from './api.ts';
export { removeObject } from './remove.ts';
export { createObject, modifyObject, patchObject, updateObject } from './write.ts';
