(** Finite sums over the instruments or venues 0 .. n-1, and the arithmetic of max. *)
Require Import QArith Qminmax Lqa Arith Lia Morphisms.
Open Scope Q_scope.

(** [f 0 + ... + f (n-1)]. *)
Fixpoint total (n : nat) (f : nat -> Q) : Q :=
  match n with O => 0 | S m => total m f + f m end.

Lemma total_equal : forall n f g, (forall i, (i < n)%nat -> f i == g i) -> total n f == total n g.
Proof.
  induction n as [|n IH]; intros f g H; simpl; [reflexivity|].
  rewrite (H n) by lia. rewrite (IH f g) by (intros; apply H; lia). reflexivity.
Qed.

Lemma total_below : forall n f g, (forall i, (i < n)%nat -> f i <= g i) -> total n f <= total n g.
Proof.
  induction n as [|n IH]; intros f g H; simpl; [lra|].
  pose proof (H n ltac:(lia)). pose proof (IH f g ltac:(intros; apply H; lia)). lra.
Qed.

Lemma total_plus : forall n f g, total n (fun i => f i + g i) == total n f + total n g.
Proof. induction n as [|n IH]; intros f g; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma total_minus : forall n f g, total n (fun i => f i - g i) == total n f - total n g.
Proof. induction n as [|n IH]; intros f g; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma total_scaled : forall n k f, total n (fun i => k * f i) == k * total n f.
Proof. induction n as [|n IH]; intros k f; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma total_zero : forall n, total n (fun _ => 0) == 0.
Proof. induction n as [|n IH]; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma total_nonnegative : forall n f, (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= total n f.
Proof.
  intros n f H. pose proof (total_below n (fun _ => 0) f H) as K. rewrite total_zero in K. exact K.
Qed.

(** A sum of which one term is all there is. *)
Lemma total_single : forall n j v, (j < n)%nat ->
  total n (fun i => if Nat.eqb i j then v i else 0) == v j.
Proof.
  induction n as [|n IH]; intros j v L; [lia|]. simpl.
  destruct (Nat.eqb n j) eqn:E.
  - apply Nat.eqb_eq in E. subst.
    rewrite (total_equal j _ (fun _ => 0)); [rewrite total_zero; lra|].
    intros i Hi. replace (Nat.eqb i j) with false by (symmetry; apply Nat.eqb_neq; lia).
    reflexivity.
  - apply Nat.eqb_neq in E. rewrite IH by lia. lra.
Qed.

Lemma total_swap : forall n m f,
  total n (fun i => total m (fun k => f i k)) == total m (fun k => total n (fun i => f i k)).
Proof.
  induction n as [|n IH]; intros m f; simpl.
  - rewrite total_zero. lra.
  - rewrite IH, total_plus. reflexivity.
Qed.

(** [max 0 q], as an option's owner sees it. *)
Definition positive_part (q : Q) : Q := Qmax 0 q.

Lemma positive_part_cases : forall q,
  (0 <= q /\ positive_part q == q) \/ (q <= 0 /\ positive_part q == 0).
Proof.
  intro q. unfold positive_part.
  destruct (Q.max_spec 0 q) as [[A B]|[A B]]; [left|right]; split; auto; lra.
Qed.

Lemma max_cases : forall a b, (a <= b /\ Qmax a b == b) \/ (b <= a /\ Qmax a b == a).
Proof.
  intros. destruct (Q.max_spec a b) as [[A B]|[A B]]; [left|right]; split; auto.
  apply Qlt_le_weak; exact A.
Qed.
