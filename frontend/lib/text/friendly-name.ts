const ADJECTIVES = "amber bold brave bright brisk calm clever cosy crisp daring eager fair fleet gentle glad happy keen kind lively lucky mellow merry nimble noble plucky proud quick quiet rapid sharp shiny silent sleek smart snug solid spry steady sunny swift tidy vivid warm wise witty zesty".split(" ");
const ANIMALS = "badger beaver bison crane dolphin eagle falcon ferret finch fox gecko heron ibex jackal jay kestrel koala lark lemur lion lynx marten mole moose newt ocelot orca osprey otter owl panda puffin quail raven robin seal shark stork swan tapir tiger toad trout viper walrus weasel whale wolf wren yak zebra".split(" ");

/** A name that a person can say: "brave-otter". `random` gives numbers from 0 up to 1. */
export function friendlyName(random: () => number): string {
  const pick = (words: string[]) => words[Math.floor(random() * words.length)] ?? "brave";
  return `${pick(ADJECTIVES)}-${pick(ANIMALS)}`;
}

export const NAME_PATTERN = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/** Why a name will not do, or null. */
export function nameProblem(name: string): string | null {
  if (name === "") return "Give it a name.";
  if (NAME_PATTERN.test(name)) return null;
  if (name.length > 32) return "At most 32 characters.";
  if (!/^[a-z]/.test(name)) return "Start with a small letter.";
  if (name.endsWith("-")) return "End with a letter or a digit.";
  return "Small letters, digits and hyphens only.";
}
