/** Written as a user's: imports the package, and throws one of its errors. */
import { ErrorCode, GraspError, type AsaContext } from 'anima-grasp';

export default async function thrower({ asa }: AsaContext): Promise<string> {
  try {
    await asa.registerObjective({ name: '', negotiate: true });
  } catch (error) {
    // The engine's error is of the class that the package gives to its users, in this thread too.
    if (error instanceof GraspError) throw new GraspError(ErrorCode.declined, 'of the same class');
  }
  return 'of another class';
}
