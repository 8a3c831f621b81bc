(** Lines and hinges put together as one form of the kernel, and what the form is worth. *)
Require Import ZArith QArith Qminmax Lqa List Bool Arith Lia.
From AgentFund Require Checker Meaning Soundness.
From AgentFund Require Import Sums.
Import ListNotations.
Local Open Scope Q_scope.

(** * Sums over lists *)

Fixpoint sum {A : Type} (f : A -> Q) (l : list A) : Q :=
  match l with [] => 0 | a :: rest => f a + sum f rest end.

Lemma sum_app : forall A (f : A -> Q) a b, sum f (a ++ b) == sum f a + sum f b.
Proof. induction a as [|x a IH]; intro b; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma sum_flat_map : forall A B (f : B -> Q) (g : A -> list B) l,
  sum f (flat_map g l) == sum (fun a => sum f (g a)) l.
Proof. induction l as [|a l IH]; simpl; [lra|]. rewrite sum_app, IH. lra. Qed.

Lemma sum_below : forall A (f g : A -> Q) l, (forall a, In a l -> f a <= g a) -> sum f l <= sum g l.
Proof.
  induction l as [|a l IH]; intro H; simpl; [lra|].
  pose proof (H a (or_introl eq_refl)). pose proof (IH (fun b I => H b (or_intror I))). lra.
Qed.

Lemma sum_equal : forall A (f g : A -> Q) l, (forall a, In a l -> f a == g a) -> sum f l == sum g l.
Proof.
  induction l as [|a l IH]; intro H; simpl; [lra|].
  rewrite (H a (or_introl eq_refl)). rewrite (IH (fun b I => H b (or_intror I))). lra.
Qed.

Lemma sum_plus : forall A (f g : A -> Q) l, sum (fun a => f a + g a) l == sum f l + sum g l.
Proof. induction l as [|a l IH]; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma sum_scaled : forall A k (f : A -> Q) l, sum (fun a => k * f a) l == k * sum f l.
Proof. induction l as [|a l IH]; simpl; [lra|]. rewrite IH. lra. Qed.

Lemma total_sum : forall n f, total n f == sum f (seq 0 n).
Proof.
  induction n as [|n IH]; intro f; [reflexivity|].
  rewrite seq_S, sum_app. simpl. rewrite IH. lra.
Qed.

Definition zsum {A : Type} (f : A -> Z) (l : list A) : Z := fold_right (fun a s => f a + s)%Z 0%Z l.

Lemma zsum_sum : forall A (f : A -> Z) l, inject_Z (zsum f l) == sum (fun a => inject_Z (f a)) l.
Proof.
  induction l as [|a l IH]; simpl; [reflexivity|]. rewrite inject_Z_plus, IH. reflexivity.
Qed.

(** * Assembling a form *)

(** [slope * x[driver] + offset]. *)
Record line := Line { along : nat; rise : Z; level : Z }.

Definition moved (y : Meaning.scenario) (i : nat) : Q := Meaning.move y (Z.of_nat i).
Definition line_value (y : Meaning.scenario) (l : line) : Q :=
  inject_Z (rise l) * moved y (along l) + inject_Z (level l).

(** A constant, lines and hinges over [drivers] drivers as one form. *)
Definition assemble (drivers : nat) (c : Z) (lines : list line) (hs : list Checker.hinge)
  : Checker.form :=
  Checker.Form (c + zsum level lines)
    (map (fun d => zsum (fun l => if Nat.eqb d (along l) then rise l else 0%Z) lines)
      (seq 0 drivers)) hs.

Lemma dot_single : forall y a i s, (a <= i < a + length y)%nat ->
  Meaning.dot (map (fun d => if Nat.eqb d i then s else 0%Z) (seq a (length y))) y
  == inject_Z s * Meaning.move y (Z.of_nat (i - a)).
Proof.
  induction y as [|v y IH]; intros a i s L; simpl in L; [lia|].
  assert (Z0 : forall y' a', (i < a')%nat ->
    Meaning.dot (map (fun d => if Nat.eqb d i then s else 0%Z) (seq a' (length y'))) y' == 0).
  { induction y' as [|v' y' IH']; intros a' A; simpl; [lra|].
    rewrite IH' by lia. replace (Nat.eqb a' i) with false by (symmetry; apply Nat.eqb_neq; lia).
    change (inject_Z 0) with 0. lra. }
  cbn [length seq map Meaning.dot]. destruct (Nat.eqb a i) eqn:E.
  - apply Nat.eqb_eq in E. subst. rewrite Z0 by lia. replace (i - i)%nat with 0%nat by lia.
    unfold Meaning.move. simpl. lra.
  - apply Nat.eqb_neq in E. rewrite IH by lia. change (inject_Z 0) with 0.
    replace (Z.of_nat (i - a)) with (Z.of_nat (i - S a) + 1)%Z by lia.
    assert (M : Meaning.move (v :: y) (Z.of_nat (i - S a) + 1)
      = Meaning.move y (Z.of_nat (i - S a))).
    { unfold Meaning.move. cbn [Checker.get].
      replace (Z.of_nat (i - S a) + 1 =? 0)%Z with false by (symmetry; apply Z.eqb_neq; lia).
      replace (Z.of_nat (i - S a) + 1 - 1)%Z with (Z.of_nat (i - S a)) by lia. reflexivity. }
    rewrite M. lra.
Qed.

Lemma dot_plus : forall y f g a,
  Meaning.dot (map (fun d => (f d + g d)%Z) (seq a (length y))) y
  == Meaning.dot (map f (seq a (length y))) y + Meaning.dot (map g (seq a (length y))) y.
Proof.
  induction y as [|v y IH]; intros f g a; simpl; [lra|]. rewrite IH, inject_Z_plus. lra.
Qed.

Lemma assemble_value : forall y c lines hs,
  Forall (fun l => (along l < length y)%nat) lines ->
  Meaning.value (assemble (length y) c lines hs) y
  == inject_Z c + sum (line_value y) lines + Meaning.hinges_value hs y.
Proof.
  intros y c lines hs H. unfold Meaning.value, assemble. cbn [Checker.constant Checker.linear
    Checker.hinges].
  assert (D : Meaning.dot (map (fun d => zsum (fun l => if Nat.eqb d (along l) then rise l else 0%Z)
      lines) (seq 0 (length y))) y + inject_Z (zsum level lines) == sum (line_value y) lines).
  { induction H as [|l lines L _ IH].
    - simpl. assert (Z0 : forall y' a', Meaning.dot (map (fun _ : nat => 0%Z)
        (seq a' (length y'))) y' == 0).
      { induction y' as [|v y' IH']; intro a'; simpl; [lra|]. rewrite IH'.
        change (inject_Z 0) with 0. lra. }
      rewrite Z0. change (inject_Z 0) with 0. lra.
    - cbn [sum]. rewrite <- IH. unfold line_value, moved.
      change (zsum level (l :: lines)) with (level l + zsum level lines)%Z.
      rewrite (dot_plus y (fun d => if Nat.eqb d (along l) then rise l else 0%Z)
        (fun d => zsum (fun l0 => if Nat.eqb d (along l0) then rise l0 else 0%Z) lines) 0).
      rewrite (dot_single y 0 (along l) (rise l)) by lia. rewrite inject_Z_plus.
      replace (along l - 0)%nat with (along l) by lia. lra. }
  rewrite inject_Z_plus. lra.
Qed.

(** * Scenarios of a box, hinges of a list *)

Lemma in_box_length : forall b y, Meaning.in_box b y -> length y = length b.
Proof.
  induction b as [|[l h] b IH]; intros [|v y] H; simpl in *; try contradiction; [reflexivity|].
  rewrite (IH y); [reflexivity|apply H].
Qed.

Lemma in_box_nth : forall b y i, Meaning.in_box b y -> (i < length b)%nat ->
  inject_Z (fst (nth i b (0%Z, 0%Z))) <= moved y i <= inject_Z (snd (nth i b (0%Z, 0%Z))).
Proof.
  induction b as [|[l h] b IH]; intros [|v y] i H L; simpl in *; try contradiction; [lia|].
  destruct H as [H1 H2]. destruct i as [|i].
  - unfold moved, Meaning.move. simpl. exact H1.
  - assert (E : moved (v :: y) (S i) = moved y i).
    { unfold moved, Meaning.move. cbn [Checker.get].
      replace (Z.of_nat (S i) =? 0)%Z with false by (symmetry; apply Z.eqb_neq; lia).
      replace (Z.of_nat (S i) - 1)%Z with (Z.of_nat i) by lia. reflexivity. }
    rewrite E. apply IH; [exact H2|lia].
Qed.

Lemma hinges_value_app : forall a b y,
  Meaning.hinges_value (a ++ b) y == Meaning.hinges_value a y + Meaning.hinges_value b y.
Proof.
  induction a as [|h a IH]; intros b y; [simpl; lra|].
  change (Meaning.hinge_value h y + Meaning.hinges_value (a ++ b) y
    == Meaning.hinge_value h y + Meaning.hinges_value a y + Meaning.hinges_value b y).
  rewrite IH. lra.
Qed.

Lemma hinges_value_sum : forall hs y,
  Meaning.hinges_value hs y == sum (fun h => Meaning.hinge_value h y) hs.
Proof.
  induction hs as [|h hs IH]; intro y; [reflexivity|].
  change (Meaning.hinge_value h y + Meaning.hinges_value hs y
    == Meaning.hinge_value h y + sum (fun h => Meaning.hinge_value h y) hs).
  rewrite IH. reflexivity.
Qed.
