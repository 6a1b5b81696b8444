const KEY = "tutorq-asked-for";

/** Note the page that the reader has asked for, until they are back in this tab from the OpenID provider. */
export const keepAskedFor = (address: string) => sessionStorage.setItem(KEY, address);

export const askedFor = (): string => sessionStorage.getItem(KEY) ?? "/";

export const forgetAskedFor = () => sessionStorage.removeItem(KEY);
